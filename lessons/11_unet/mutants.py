"""Mistakes that students make in lesson 11."""

from minidepth.learn import Mutant

PAD = "((0, 0), (0, 0), (0, height - up.shape[2]), (0, width - up.shape[3]))"

MUTANTS = [
    Mutant("11.1", "filled at the top", PAD, "((0, 0), (0, 0), (height - up.shape[2], 0), (width - up.shape[3], 0))", "the zeros are at the top and the left, so that everything moves by a pixel; pooling dropped the last row, not the first.", "the pitfalls"),
    Mutant("11.1", "half at each side", PAD, "((0, 0), (0, 0), ((height - up.shape[2]) // 2, (height - up.shape[2] + 1) // 2), ((width - up.shape[3]) // 2, (width - up.shape[3] + 1) // 2))", "what is missing is shared out between both ends, as if the map lay in the middle of the skip; its top left corner lies on the skip's."),
    Mutant("11.1", "last row repeated", PAD + ")", PAD + ', mode="edge")', "the last row and column are repeated; zeros are asked for, whose backward is a plain cut."),
    Mutant("11.1", "height only", "(0, width - up.shape[3])", "(0, 0)", "only the height is filled up; the width may be odd as well."),
    Mutant("11.1", "width only", "(0, height - up.shape[2])", "(0, 0)", "only the width is filled up; the height may be odd as well."),
    Mutant("11.1", "never cut", "up = up[:, :, :height, :width]", "pass", "a map that is too large is not cut."),
    Mutant("11.1", "cut at the top", "up = up[:, :, :height, :width]", "up = up[:, :, max(0, up.shape[2] - height) :, max(0, up.shape[3] - width) :]", "what is too much is cut off at the top and the left; it belongs to the bottom and the right."),
    Mutant("11.1", "height and width swapped", "height, width = skip.shape[2:]", "width, height = skip.shape[2:]", "height and width of the skip are swapped."),
    Mutant("11.1", "the skip itself", "up = up[:, :, :height, :width]", "up = skip", "the skip comes back, and not the map in its size."),
    Mutant("11.2", "parts swapped", "return g[:, :skip_channels], g[:, skip_channels:]", "return g[:, skip_channels:], g[:, :skip_channels]", "the two parts are swapped; the skip has the first channels.", "the pitfalls"),
    Mutant("11.2", "split in the middle", "return g[:, :skip_channels], g[:, skip_channels:]", "return g[:, : g.shape[1] // 2], g[:, g.shape[1] // 2 :]", "the stack is cut in the middle; the skip has skip_channels channels, which may be more or fewer."),
    Mutant("11.2", "sizes swapped", "return g[:, :skip_channels], g[:, skip_channels:]", "return g[:, : g.shape[1] - skip_channels], g[:, g.shape[1] - skip_channels :]", "the cut is counted from the end: the first part has the channels of the map from below."),
    Mutant("11.2", "last ones for the skip", "return g[:, :skip_channels], g[:, skip_channels:]", "return g[:, -skip_channels:], g[:, :-skip_channels]", "the skip gets the last channels of the stack; it has the first ones."),
    Mutant("11.2", "along the pictures", "return g[:, :skip_channels], g[:, skip_channels:]", "return g[:skip_channels], g[skip_channels:]", "the batch is cut, and not the channels, which are the second axis."),
    Mutant("11.2", "halved", "return g[:, :skip_channels], g[:, skip_channels:]", "return g[:, :skip_channels] / 2, g[:, skip_channels:] / 2", "each part gets half of its gradient; each number was copied once, so it gets the whole."),
    Mutant("11.2", "both get all", "return g[:, :skip_channels], g[:, skip_channels:]", "return g, g", "both get the whole gradient: that is the backward of a sum, and this is a stack."),
    Mutant('11.3', 'skip after pooling', '        skips.append(x)\n        x = pool(x)', '        x = pool(x)\n        skips.append(x)', 'the skip is taken after the pooling, when the detail is gone.', 'the pitfalls'),
    Mutant('11.3', 'skip before the convolutions', '        x = convs(x, params, f"down.{i}")\n        skips.append(x)', '        skips.append(x)\n        x = convs(x, params, f"down.{i}")', 'the skip is what goes into the box of its level; it is what comes out of it.'),
    Mutant('11.3', 'skips in the wrong order', 'skips.pop()', 'skips.pop(0)', 'the skips come back in the order in which they were taken; the deepest one is met first.'),
    Mutant('11.3', 'skips forgotten', 'meet(skips.pop(), x)', 'meet(skips.pop() * 0.0, x)', 'what arrives in the place of the skip is 0.'),
    Mutant('11.3', 'arguments swapped', 'meet(skips.pop(), x)', 'meet(x, skips.pop())', '`meet` wants the skip first and the map from below second.'),
    Mutant('11.3', 'no bottom', '    x = convs(x, params, "bottom")\n', '', 'the box at the bottom is missing.'),
    Mutant("11.3", "names the other way round", 'f"up.{i}"', 'f"up.{levels - 1 - i}"', "on the way up the names count from the bottom: up.0 is the deepest one."),
    Mutant('11.3', 'no head', 'return ops.conv2d(x, params["head.weight"], params["head.bias"])', 'return x', 'the head is missing: the last 1x1 convolution, to the channels that are asked for.'),
    Mutant('11.3', 'ReLU at the end', 'return ops.conv2d(x, params["head.weight"], params["head.bias"])', 'return ops.relu(ops.conv2d(x, params["head.weight"], params["head.bias"]))', 'there is a ReLU behind the head, so nothing below 0 can come out.'),
    Mutant("11.4", "no biases", "k * k * i * o + o", "k * k * i * o", "the biases are not counted; there is one for each output channel."),
    Mutant("11.4", "bias of every input", "k * k * i * o + o", "k * k * i * o + i * o", "one bias is counted for each pair of channels; there is one for each output channel."),
    Mutant("11.4", "kernel counted once", "k * k * i * o + o", "k * i * o + o", "the kernel is k x k, so k squared."),
    Mutant("11.4", "no head", "layers = [(base, out, 1)]", "layers = []", "the head is not counted."),
    Mutant("11.4", "no up-convolutions", "(2 * width, width, 2), ", "", "the transposed convolutions have weights, too: 2x2 from twice the width."),
    Mutant("11.4", "up with 3x3", "(2 * width, width, 2)", "(2 * width, width, 3)", "the kernels of `up` are 2x2."),
    Mutant("11.4", "merge sees one map", "(2 * width, width, 3)", "(width, width, 3)", "the first convolution of a merge sees the skip and the map from below, so twice the width."),
    Mutant("11.4", "one level too many", "for level in range(levels + 1)]", "for level in range(levels + 2)]", "that is one level too many: with the bottom there are levels + 1 widths."),
    Mutant("11.4", "merge at the bottom", "in widths[:-1]", "in widths", "the bottom has no way up of its own."),
    Mutant("11.4", "width never doubles", "base * 2**level", "base", "the channels double from level to level."),
    Mutant("11.4", "widths grow linearly", "base * 2**level", "base * (level + 1)", "the channels double from level to level: base, 2 base, 4 base, 8 base."),
]  # fmt: skip
