"""One process of benchmarks/step.py: times the U-Net of minidepth and prints one line of JSON."""

import sys

import numpy as np
from measure import Case, report

from minidepth import Tensor, no_grad
from minidepth.losses import mse
from minidepth.models import UNet
from minidepth.optim import Adam


def main(case: Case) -> None:
    rng = np.random.default_rng(0)
    norm = "batch" if case.norm else None
    model = UNet(base_channels=case.base, norm=norm, activation="leaky_relu", rng=rng)
    adam = Adam(model.parameters(), lr=1e-3)
    image = rng.standard_normal((case.batch, 3, case.height, case.width), dtype=np.float32)
    depth_m = rng.standard_normal((case.batch, 1, case.height, case.width), dtype=np.float32)
    valid = np.ones(depth_m.shape, bool)

    def train_step() -> None:
        loss = mse(model(Tensor(image)), depth_m, valid)
        adam.zero_grad()
        loss.backward()
        adam.step()
        loss.item()

    def inference() -> None:
        with no_grad():
            model(Tensor(image))

    report(case, train_step, inference, model.eval)


if __name__ == "__main__":
    main(Case.from_json(sys.argv[1]))
