"""One process of benchmarks/step.py: times the U-Net of minidepth and prints one line of JSON."""

import sys
from collections.abc import Callable

import numpy as np
from measure import RATE, Case, first_weights, report

from minidepth import Tensor, no_grad
from minidepth.losses import mse
from minidepth.models import UNet
from minidepth.optim import Adam


def network(case: Case) -> UNet:
    """The U-Net, with the first weights that all competitors have."""
    model = UNet(base_channels=case.base, norm="batch" if case.norm else None, activation="leaky_relu")
    for parameter in model.parameters():
        if parameter.ndim == 4:  # all others are 0 or 1 from the start
            parameter.data[...] = first_weights(parameter.shape)
    return model


def training(case: Case) -> tuple[UNet, Callable[[], float]]:
    """The network, and a function that trains it for a step and returns the loss."""
    model = network(case)
    adam = Adam(model.parameters(), lr=RATE)
    image, depth_m = case.batch_of_pictures()
    valid = np.ones(depth_m.shape, bool)

    def train_step() -> float:
        loss = mse(model(Tensor(image)), depth_m, valid)
        adam.zero_grad()
        loss.backward()
        adam.step()
        return loss.item()

    return model, train_step


def main(case: Case) -> None:
    model, train_step = training(case)
    image, _ = case.batch_of_pictures()

    def inference() -> None:
        with no_grad():
            model(Tensor(image))

    report(case, train_step, inference, model.eval)


if __name__ == "__main__":
    main(Case.from_json(sys.argv[1]))
