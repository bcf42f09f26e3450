"""Mistakes that students make in lesson 4."""

from minidepth.learn import Mutant

SLICE = "stride * i : stride * i + kh, stride * j : stride * j + kw"

MUTANTS = [
    Mutant("4.1", "one too few", "// stride + 1", "// stride", "the window at 0 is not counted; there is one place more."),
    Mutant("4.1", "padding once", "2 * pad", "pad", "the padding is counted once, but it is there at both ends."),
    Mutant("4.1", "padding left out", "n + 2 * pad - k", "n - k", "the padding does not count, though windows reach into it."),
    Mutant("4.1", "true division", "//", "/", "a true division gives fractions of places; // rounds down."),
    Mutant(
        "4.1", "rounded up", "(n + 2 * pad - k) // stride", "-((k - n - 2 * pad) // stride)",
        "the division is rounded up, so the last window hangs over the edge.",
    ),
    Mutant("4.1", "kernel not counted", "n + 2 * pad - k", "n + 2 * pad - 1", "every pixel begins a window here, whether or not the window fits."),
    Mutant("4.1", "stride forgotten", "// stride", "// 1", "the stride is left out: the window moves by more than one pixel."),
    Mutant("4.2", "kernel turned", "window * w[o]", "window * w[o, :, ::-1, ::-1]", "the kernel is turned round: mathematicians do that, networks do not.", "the worked example"),
    Mutant("4.2", "bias missing", " + b[o]", "", "the bias is not added."),
    Mutant("4.2", "bias of every tap", "(window * w[o]).sum() + b[o]", "(window * w[o] + b[o]).sum()", "the bias is added once for each weight of the window, and not once for each pixel."),
    Mutant("4.2", "one channel", "(window * w[o]).sum()", "(window[0] * w[o, 0]).sum()", "only the first channel of the picture is looked at."),
    Mutant("4.2", "stride on the window", SLICE, "i : i + kh, j : j + kw", "the window moves by one pixel whatever the stride."),
    Mutant("4.2", "kernel transposed", "window * w[o]", "window * w[o].transpose(0, 2, 1).reshape(w[o].shape)", "rows and columns of the kernel are swapped."),
    Mutant("4.2", "padding on one side", "(pad, pad), (pad, pad)))\n    y", "(2 * pad, 0), (2 * pad, 0)))\n    y", "the zeros are all above and to the left; they belong on both sides."),
    Mutant("4.2", "channel of the output", "* w[o]", "* w[0]", "every output channel uses the kernel of the first one."),
    Mutant("4.2", "mean of the window", "(window * w[o]).sum()", "(window * w[o]).mean()", "it is the sum over the window, not the mean."),
    Mutant("4.3", "kernel turned", "* w[o]", "* w[o, :, ::-1, ::-1]", "the kernel is turned round. Walking over the outputs needs it as it is."),
    Mutant("4.3", "overwritten", "+= g[n", "= g[n", "windows overlap, so their shares add up; = keeps the last one only."),
    Mutant("4.3", "padding not cut", "dxp[:, :, pad : pad + height, pad : pad + width]", "dxp[:, :, :height, :width]", "the frame of padding is cut off at the end of each side only, so everything is shifted."),
    Mutant("4.3", "stride forgotten", "stride * i, stride * j", "i, j", "the window moves by one pixel whatever the stride."),
    Mutant("4.3", "first output channel", "* w[o]", "* w[0]", "every output channel gives back through the kernel of the first one."),
    Mutant("4.3", "first picture", "dxp[n, :,", "dxp[0, :,", "all pictures give back to the first one."),
    Mutant("4.3", "channels summed", "g[n, o, i, j] * w[o]", "g[n, o, i, j] * w[o].sum(axis=0)", "each input channel has weights of its own; do not add them up."),
    Mutant("4.4", "overwritten", "dw[o] += g[n, o, i, j]", "dw[o] = g[n, o, i, j]", "every place of the window adds its share to dw; = keeps the last one only."),
    Mutant("4.4", "window turned", "left : left + kw]\n    return", "left : left + kw][:, ::-1, ::-1]\n    return", "the window is turned round; w met it as it was."),
    Mutant("4.4", "bias over pictures", "g.sum(axis=(0, 2, 3))", "g[0].sum(axis=(1, 2))", "the bias serves every picture of the batch, but only the first one is summed."),
    Mutant("4.4", "mean over the batch", "return dw, g", "return dw / len(g), g", "dw is divided by the number of pictures: whether there is a mean is for the loss to say, and it is in g already."),
    Mutant("4.4", "stride forgotten", "stride * i, stride * j", "i, j", "the window moves by one pixel whatever the stride."),
    Mutant("4.4", "bias by mean", "g.sum(axis=(0, 2, 3))", "g.mean(axis=(0, 2, 3))", "the gradient of the bias is a sum, not a mean: every pixel has its own share."),
    Mutant("4.4", "padding forgotten", "(pad, pad), (pad, pad)))\n    dw", "(0, 2 * pad), (0, 2 * pad)))\n    dw", "the picture is padded at one end only, so the windows are shifted."),
]  # fmt: skip
