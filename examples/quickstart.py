"""Train a small U-Net on procedural rooms, then look at one it has never seen: quickstart.png. Takes half a minute."""

from minidepth import Tensor, data, draw, losses, models, optim, schedule

rooms = data.Loader(data.open_dataset("rooms"), batch_size=8, size=(64, 80))
network = models.build("unet", base_channels=8, norm="batch", up="bilinear", rng=0)
network.head.bias.data[:] = 3.0  # a first guess: everything is 3 m away
optimizer, loss = optim.Adam(network.parameters()), losses.build("mse+gradient")
rate = schedule.build("one-cycle", lr=1e-2, total_steps=2 * len(rooms))

for step, batch in enumerate(batch for epoch in range(2) for batch in rooms.epoch(epoch)):
    error = loss(network(Tensor(batch.image)), batch.depth_m, batch.valid)
    optimizer.zero_grad()
    error.backward()
    optimizer.lr = rate(step)
    optimizer.step()
    if step % 25 == 0:
        print(f"step {step}: loss {error.item():.2f}")

unseen = data.resize_sample(data.open_dataset("rooms", split="test")[3], (64, 80))
depth_m = network.eval()(Tensor(data.network_input(unseen.image)[None])).numpy()[0, 0]
draw.save_samples("quickstart.png", [unseen], [depth_m])
