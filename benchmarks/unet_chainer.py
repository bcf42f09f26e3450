"""One process of benchmarks/step.py: times the same U-Net in Chainer and prints one line of JSON."""

import sys

from measure import FIRST_EPS, RATE, Case, first_weights, put_back_old_names, report

put_back_old_names()

import chainer  # noqa: E402 (it needs the names above)
from chainer import functions as F  # noqa: E402
from chainer import links as L  # noqa: E402


def double_conv(n_in: int, n_out: int, norm: bool) -> chainer.Sequential:
    """Twice: convolution, batch-norm if wanted, leaky ReLU."""
    layers = []
    for n in (n_in, n_out):
        layers.append(L.Convolution2D(n, n_out, 3, pad=1, nobias=norm))
        layers.extend([L.BatchNormalization(n_out, eps=1e-5)] if norm else [])
        layers.append(lambda x: F.leaky_relu(x, 0.01))
    return chainer.Sequential(*layers)


class UNet(chainer.Chain):
    """The network of minidepth.models.UNet with padding="same"."""

    def __init__(self, base: int, norm: bool) -> None:
        super().__init__()
        widths = [base * 2**level for level in range(5)]
        with self.init_scope():
            self.down = chainer.ChainList(*(double_conv(i, o, norm) for i, o in zip([3, *widths], widths[:-1])))
            self.bottom = double_conv(widths[-2], widths[-1], norm)
            self.up = chainer.ChainList(*(L.Deconvolution2D(2 * n, n, 2, stride=2) for n in reversed(widths[:-1])))
            self.merge = chainer.ChainList(*(double_conv(2 * n, n, norm) for n in reversed(widths[:-1])))
            self.head = L.Convolution2D(base, 1, 1)

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        skips = []
        for down in self.down:
            x = down(x)
            skips.append(x)
            x = F.max_pooling_2d(x, 2, cover_all=False)
        x = self.bottom(x)
        for up, merge in zip(self.up, self.merge):
            x = merge(F.concat([skips.pop(), up(x)], axis=1))
        return self.head(x)


def main(case: Case) -> None:
    model = UNet(case.base, case.norm)
    for parameter in model.params():
        if parameter.ndim == 4:  # all others are 0 or 1 from the start
            parameter.array[...] = first_weights(parameter.shape)
    adam = chainer.optimizers.Adam(alpha=RATE, eps=FIRST_EPS).setup(model)
    image, depth_m = case.batch_of_pictures()

    def train_step() -> float:
        loss = F.mean_squared_error(model(image), depth_m)
        model.cleargrads()
        loss.backward()
        adam.update()
        return float(loss.array)

    def inference() -> None:
        with chainer.no_backprop_mode():
            model(image)

    report(case, train_step, inference, lambda: setattr(chainer.config, "train", False))


if __name__ == "__main__":
    main(Case.from_json(sys.argv[1]))
