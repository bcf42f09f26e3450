"""Mistakes that students make in lesson 8."""

from minidepth.learn import Mutant

MUTANTS = [
    Mutant("8.1", "eps outside", "np.sqrt(var + eps)", "(np.sqrt(var) + eps)", "eps is added after the root; it belongs to the variance."),
    Mutant("8.1", "no root", "np.sqrt(var + eps)", "(var + eps)", "it divides by the variance; the size of the numbers is its square root."),
    Mutant("8.1", "eps left out", "var + eps", "var", "eps is left out, and a constant channel would divide by 0."),
    Mutant("8.1", "mean stays", "(x - mean[:, None, None])", "x", "the mean is not subtracted."),
    Mutant("8.1", "beta inside", "gamma[:, None, None] * xhat + beta[:, None, None]", "gamma[:, None, None] * (xhat + beta[:, None, None])", "beta is multiplied by gamma too; it is added last."),
    Mutant("8.1", "gamma and beta swapped", "gamma[:, None, None] * xhat + beta[:, None, None]", "beta[:, None, None] * xhat + gamma[:, None, None]", "gamma and beta are swapped: gamma multiplies, beta is added."),
    Mutant("8.1", "gain forgotten", "gamma[:, None, None] * xhat", "xhat", "gamma is left out, so the network cannot have the size that it wants."),
    Mutant("8.2", "one picture at a time", "x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))", "x[0].mean(axis=(1, 2)), x[0].var(axis=(1, 2))", "the statistics are those of the first picture alone; they are over the whole batch."),
    Mutant("8.2", "one number for all", "x.mean(axis=(0, 2, 3)), x.var(axis=(0, 2, 3))", "np.full(x.shape[1], x.mean()), np.full(x.shape[1], x.var())", "all channels share one mean and variance; each has its own."),
    Mutant("8.2", "mean square", "x.var(axis=(0, 2, 3))", "(x**2).mean(axis=(0, 2, 3))", "the mean square is no variance: subtract the mean first."),
    Mutant("8.2", "plain running variance", " * m / (m - 1)", "", "the running variance takes the plain one, which is too small by (M - 1) / M."),
    Mutant("8.2", "counts pictures", "m = x.size // x.shape[1]", "m = x.shape[0]", "M counts the pictures only; a channel has N H W numbers.", ),
    Mutant("8.2", "unbiased in y", "return mean, var, (", "return mean, var * m / (m - 1), (", "the variance that y is normalised with is the plain one; only the running one is corrected."),
    Mutant("8.2", "momentum turned round", "(1 - momentum) * running[0] + momentum * mean", "momentum * running[0] + (1 - momentum) * mean", "momentum is the share of the new batch here, as in PyTorch; in Keras it is the share of the old."),
    Mutant("8.2", "learns in evaluation", "if not train:", "if False:", "evaluation looks at the batch, too; it takes the running statistics and leaves them alone."),
    Mutant("8.2", "never learns", "return mean, var, (new_mean, new_var)", "return mean, var, running", "the running statistics stay as they were; evaluation would never see the data."),
    Mutant("8.3", "zeros", "gx - gx.mean(axis=axes, keepdims=True) - xhat", "gx - gx - 0 * xhat", "dx is 0 everywhere: that is right for g = 1 only, the check that sees nothing.", "the check that sees nothing"),
    Mutant("8.3", "variance term", " - xhat * (gx * xhat).mean(axis=axes, keepdims=True)", "", "the variance is taken for a constant; it depends on x, too."),
    Mutant("8.3", "mean term", " - gx.mean(axis=axes, keepdims=True)", "", "the mean is taken for a constant; it depends on x, too."),
    Mutant("8.3", "both constant", "gx - gx.mean(axis=axes, keepdims=True) - xhat * (gx * xhat).mean(axis=axes, keepdims=True)", "gx", "mean and variance are taken for constants: that is evaluation, not training."),
    Mutant("8.3", "gamma forgotten", "gx = gamma[:, None, None] * g", "gx = g", "gamma is missing in dx: y = gamma xhat + beta, so xhat gets gamma times g."),
    Mutant("8.3", "divided by the variance", "/ std\n    return", "/ std**2\n    return", "it divides by the variance; the derivative of xhat has the square root."),
    Mutant("8.3", "dgamma with x", "(g * xhat).sum", "(g * x).sum", "gamma multiplies xhat, not x, so its gradient is the sum of g xhat."),
    Mutant("8.3", "dbeta mean", "g.sum(axis=axes)\n", "g.mean(axis=axes)\n", "beta is added to every number of its channel: its gradient is the sum, not the mean."),
    Mutant("8.3", "dgamma with gamma", "(g * xhat).sum", "(gx * xhat).sum", "gamma's own gradient has no gamma in it."),
]
