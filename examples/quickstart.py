"""Train a small U-Net on procedural rooms, then look at one it has never seen: quickstart.png. Takes half a minute."""

from minidepth import Tensor, data, draw, losses, models, optim

rooms = data.Loader(data.open_dataset("rooms"), batch_size=8, size=(64, 80))
network = models.build("unet", base_channels=8, norm="batch", rng=0)
optimizer = optim.Adam(network.parameters(), lr=3e-3)
loss = losses.build("l1+gradient")

for step, batch in enumerate(rooms):
    error = loss(network(Tensor(batch.image)), batch.depth_m, batch.valid)
    optimizer.zero_grad()
    error.backward()
    optimizer.step()
    if step % 20 == 0:
        print(f"step {step}: loss {error.item():.2f}")

network.eval()
unseen = data.resize_sample(data.open_dataset("rooms", split="test")[0], (64, 80))
depth_m = network(Tensor(data.network_input(unseen.image)[None])).numpy()[0, 0]
draw.save_samples("quickstart.png", [unseen], [depth_m])
