"""One process of benchmarks/latency.py: times a picture through MobileNet in minidepth and prints one line of JSON."""

import json
import sys

import numpy as np
from measure import first_weights, median_ms

from minidepth import Tensor, models, no_grad
from minidepth.inference import fold_batch_norm


def main(case: dict) -> None:
    network = models.build(case["name"], rng=0).eval()
    for parameter in network.parameters():
        if parameter.ndim == 4:  # all others are 0 or 1 from the start
            parameter.data[...] = first_weights(parameter.shape)
    picture = Tensor(np.random.default_rng(0).random((1, 3, *case["size"]), dtype=np.float32))
    folded = fold_batch_norm(network, tuple(case["size"]))
    with no_grad():
        depths = [network(picture).data, folded(picture).data]
        times = [median_ms(lambda model=model: model(picture), case["times"]) for model in (network, folded)]
    proof = [float(number) for depth in depths for number in (depth.mean(), depth.std())]
    print(json.dumps({"plain_ms": times[0], "folded_ms": times[1], "proof": proof}))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
