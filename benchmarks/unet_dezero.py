"""One process of benchmarks/step.py: times the same U-Net in DeZero and prints one line of JSON."""

import sys

import numpy as np
from measure import FIRST_EPS, RATE, Case, first_weights, put_back_old_names, report

put_back_old_names()

import dezero  # noqa: E402 (it needs the names above)
from dezero import functions as F  # noqa: E402
from dezero import layers as L  # noqa: E402


class Cat(dezero.Function):
    """Concatenation of channels, which DeZero does not have."""

    def forward(self, x0: np.ndarray, x1: np.ndarray) -> np.ndarray:
        self.split = x0.shape[1]
        return np.concatenate([x0, x1], axis=1)

    def backward(self, gy: dezero.Variable) -> tuple:
        return dezero.Variable(gy.data[:, : self.split]), dezero.Variable(gy.data[:, self.split :])


class DoubleConv(dezero.Layer):
    """Twice: convolution, batch-norm if wanted, leaky ReLU."""

    def __init__(self, n_in: int, n_out: int, norm: bool) -> None:
        super().__init__()
        self.conv1 = L.Conv2d(n_out, 3, pad=1, nobias=norm, in_channels=n_in)
        self.conv2 = L.Conv2d(n_out, 3, pad=1, nobias=norm, in_channels=n_out)
        self.bn1, self.bn2 = (L.BatchNorm(), L.BatchNorm()) if norm else (None, None)

    def forward(self, x: dezero.Variable) -> dezero.Variable:
        for conv, bn in ((self.conv1, self.bn1), (self.conv2, self.bn2)):
            x = conv(x)
            x = F.leaky_relu(x if bn is None else bn(x), 0.01)
        return x


class UNet(dezero.Layer):
    """The network of minidepth.models.UNet with padding="same"."""

    def __init__(self, base: int, norm: bool) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(5)]
        self.down = [DoubleConv(i, o, norm) for i, o in zip([3, *widths], widths[:-1])]
        self.bottom = DoubleConv(widths[-2], widths[-1], norm)
        self.up = [L.Deconv2d(n, 2, stride=2, in_channels=2 * n) for n in reversed(widths[:-1])]
        self.merge = [DoubleConv(2 * n, n, norm) for n in reversed(widths[:-1])]
        self.head = L.Conv2d(1, 1, in_channels=base)
        for index, layer in enumerate([*self.down, *self.up, *self.merge]):
            setattr(self, f"part{index}", layer)  # DeZero finds parameters in attributes only, not in lists

    def forward(self, x: dezero.Variable) -> dezero.Variable:
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = F.pooling(x, 2, stride=2)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(Cat()(skips.pop(), up(x)))
        return self.head(x)


def main(case: Case) -> None:
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        sys.exit("under NumPy 2 DeZero's batch-norm computes in float64; install numpy<2 beside it")
    model = UNet(case.base, case.norm)
    for parameter in model.params():
        if parameter.data is not None and parameter.ndim == 4:  # all others are 0 or 1 from the start
            parameter.data = first_weights(parameter.shape)
    adam = dezero.optimizers.Adam(alpha=RATE, eps=FIRST_EPS).setup(model)
    image, depth_m = case.batch_of_pictures()

    def train_step() -> float:
        prediction = model(dezero.Variable(image))
        error = prediction.data - depth_m
        model.cleargrads()
        # DeZero's mean_squared_error would make all gradients float64, so backward begins at its gradient.
        prediction.grad = dezero.Variable(error * np.float32(2 / error.size))
        prediction.backward()
        adam.update()
        return float(np.mean(error * error))

    def inference() -> None:
        with dezero.no_grad():
            model(dezero.Variable(image))

    report(case, train_step, inference, lambda: setattr(dezero.Config, "train", False))


if __name__ == "__main__":
    main(Case.from_json(sys.argv[1]))
