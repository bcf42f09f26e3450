"""One process of benchmarks/nyu_time.py: trains on NYU frames in minidepth and prints one line of JSON."""

import sys

import numpy as np
from nyu_epoch import recipe, report

from minidepth import Tensor
from minidepth.data import Batch


def main(data: str, frames: int) -> None:
    parts = recipe(data)
    network, optimizer = parts.network, parts.optimizer
    steps = iter(range(sys.maxsize))

    def train_step(batch: Batch) -> float:
        optimizer.lr = parts.rate(next(steps))
        loss = parts.loss(network(Tensor(batch.image)), batch.depth_m, batch.valid)
        value = loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return value

    def loss_and_slope(guess_m: np.ndarray, depth_m: np.ndarray, valid: np.ndarray) -> tuple[float, np.ndarray]:
        prediction = Tensor(guess_m, requires_grad=True)
        loss = parts.loss(prediction, depth_m, valid)
        loss.backward()
        return loss.item(), prediction.grad

    report(parts, frames, train_step, loss_and_slope)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
