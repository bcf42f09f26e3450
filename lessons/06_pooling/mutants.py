"""Mistakes that students make in lesson 6."""

from minidepth.learn import Mutant

MUTANTS = [
    Mutant("6.1", "axes not swapped", ".transpose(0, 1, 2, 4, 3, 5)\n", "\n", "the numbers of a window are not brought together: after the reshape its axes are 3 and 5, so swap axes 3 and 4 before making them one.", "the worked example"),
    Mutant("6.1", "minimum", "flat.max(axis=-1), flat.argmax", "flat.min(axis=-1), flat.argmin", "it is the smallest number that is kept, not the largest."),
    Mutant("6.1", "last of equal", "flat.argmax(axis=-1)", "k * k - 1 - flat[..., ::-1].argmax(axis=-1)", "of equal numbers the last one wins; the lesson, like PyTorch, lets the first one win."),
    Mutant("6.1", "winner by columns", "flat.argmax(axis=-1)", "flat.argmax(axis=-1) % k * k + flat.argmax(axis=-1) // k", "the places of a window are counted column by column; count them row by row."),
    Mutant("6.1", "cut at the wrong end", "x[:, :, : p * k, : q * k]", "x[:, :, h - p * k :, w - q * k :]", "the rows that do not fit are cut off at the beginning; the windows begin at the first pixel."),
    Mutant("6.1", "largest by size", "return flat.max(axis=-1), flat", "return np.abs(flat).max(axis=-1), np.abs(flat)", "the signs are dropped, so a large negative number wins."),
    Mutant("6.1", "mean instead", "flat.max(axis=-1), flat", "flat.mean(axis=-1), flat", "this is the mean of each window, not its maximum."),
    Mutant("6.1", "value for place", "flat.argmax(axis=-1)", "flat.max(axis=-1)", "the second result must be the winner's place, an integer, and not its value."),
    Mutant("6.2", "paid to everybody", "np.put_along_axis(flat, winners[..., None], g[..., None], axis=-1)", "flat += g[..., None]", "everybody in the window gets the whole gradient, but only the winner had a say."),
    Mutant("6.2", "shared out", "np.put_along_axis(flat, winners[..., None], g[..., None], axis=-1)", "flat += g[..., None] / k**2", "this is the gradient of a mean: everybody gets a share. Of a maximum, the winner gets all."),
    Mutant("6.2", "ones in place of g", "g[..., None], axis=-1", "1.0, axis=-1", "the winners get 1 each. Multiply with what came back: the chain rule."),
    Mutant("6.2", "axes not swapped", ".transpose(0, 1, 2, 4, 3, 5)\n", "\n", "the windows are not put back in their places: swap axes 3 and 4 before the last reshape, as in 6.1."),
    Mutant("6.2", "first of the window", "winners[..., None], g", "0 * winners[..., None], g", "the gradient always goes to the first number of its window, whoever won."),
    Mutant("6.2", "wrong end", "dx[:, :, : p * k, : q * k] =", "dx[:, :, x_shape[2] - p * k :, x_shape[3] - q * k :] =", "everything is shifted to the end; the rows that got nothing are the last ones."),
    Mutant("6.2", "winner by columns", "winners[..., None], g", "(winners % k * k + winners // k)[..., None], g", "the winner's row and column are swapped: places are counted row by row."),
    Mutant("6.2", "sign", "return dx", "return -dx", "the sign is turned round: when the winner grows, so does the maximum."),
    Mutant("6.3", "not divided", " / k**2", "", "everybody gets the whole gradient; each number has only 1 / k**2 of a say in the mean."),
    Mutant("6.3", "divided by k", "/ k**2", "/ k", "the window has k*k numbers, not k, so divide by k**2."),
    Mutant("6.3", "tiled", "np.repeat(np.repeat(g, k, axis=2), k, axis=3)", "np.tile(g, (1, 1, k, k))", "np.tile puts whole copies of g side by side; np.repeat makes each number a block."),
    Mutant("6.3", "divided by the picture", "/ k**2", "/ (p * q)", "it is divided by the number of windows; the mean is over the k*k numbers of one window."),
    Mutant("6.3", "first of the window", "np.repeat(np.repeat(g, k, axis=2), k, axis=3) / k**2", "np.kron(g, np.eye(k)[:1].T @ np.eye(k)[:1])", "only the first number of each window gets something; a mean chooses nobody."),
    Mutant("6.3", "wrong end", "dx[:, :, : p * k, : q * k] =", "dx[:, :, x_shape[2] - p * k :, x_shape[3] - q * k :] =", "everything is shifted to the end; the rows that got nothing are the last ones."),
]
