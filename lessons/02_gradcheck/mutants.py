"""Mistakes that students make in lesson 2."""

from minidepth.learn import Mutant

BLOCK = """step = np.zeros(x.shape, x.dtype)
        step[place] = eps
        gradient[place] = (f(x + step) - f(x - step)) / (2 * eps)"""

NOT_PUT_BACK = """x[place] += eps
        up = f(x)
        x[place] -= 2 * eps
        gradient[place] = (up - f(x)) / (2 * eps)"""

ALONG = "return (f(x + eps * v) - f(x - eps * v)) / (2 * eps)"

IN_PLACE = """x += eps * v
    up = f(x)
    x -= 2 * eps * v
    return (up - f(x)) / (2 * eps)"""

MUTANTS = [
    Mutant("2.1", "one-sided", "f(x - step)) / (2 * eps)", "f(x)) / eps", "this is the one-sided difference; a step to either side, divided by 2 eps, is off by eps^2 and not by eps.", "the two ways to be off"),
    Mutant("2.1", "half the way", "(2 * eps)", "eps", "from x - eps to x + eps it is 2 eps, not eps."),
    Mutant("2.1", "brackets", "/ (2 * eps)", "/ 2 * eps", "/ 2 * eps divides by 2 and multiplies with eps; it needs brackets: / (2 * eps)."),
    Mutant("2.1", "not divided", " / (2 * eps)", "", "the difference is not divided by the way of 2 eps."),
    Mutant("2.1", "all entries at once", "step[place] = eps", "step[...] = eps", "all entries of x move together; a gradient needs them one at a time."),
    Mutant("2.1", "steps pile up", "for place in np.ndindex(x.shape):\n        step = np.zeros(x.shape, x.dtype)", "step = np.zeros(x.shape, x.dtype)\n    for place in np.ndindex(x.shape):", "the step of each entry is still there when the next one moves; take a new step for each."),
    Mutant("2.1", "first axis only", "np.ndindex(x.shape)", "range(len(x))", "only the first axis is walked over, so whole rows move at once; np.ndindex(x.shape) gives each entry."),
    Mutant("2.1", "sign", "f(x + step) - f(x - step)", "f(x - step) - f(x + step)", "the sign is wrong: it is the value ahead minus the value behind."),
    Mutant("2.1", "not put back", BLOCK, NOT_PUT_BACK, "an entry that has moved is not put back, so x is another one afterwards and for all later entries."),
    Mutant("2.2", "one-sided", "f(x - eps * v)) / (2 * eps)", "f(x)) / eps", "this is the one-sided difference; a step to either side, divided by 2 eps, is off by eps^2 and not by eps.", "the two ways to be off"),
    Mutant("2.2", "half the way", "(2 * eps)", "eps", "from x - eps v to x + eps v it is 2 eps, not eps."),
    Mutant("2.2", "brackets", "/ (2 * eps)", "/ 2 * eps", "/ 2 * eps divides by 2 and multiplies with eps; it needs brackets: / (2 * eps)."),
    Mutant("2.2", "sign", "f(x + eps * v) - f(x - eps * v)", "f(x - eps * v) - f(x + eps * v)", "the sign is wrong: it is the value ahead minus the value behind."),
    Mutant("2.2", "no direction", ALONG, "return (f(x + eps) - f(x - eps)) / (2 * eps)", "every entry moves by the same eps, so v has no influence; the step is eps * v."),
    Mutant("2.2", "relative step", ALONG, "return (f(x * (1 + eps * v)) - f(x * (1 - eps * v))) / (2 * eps)", "each entry moves in proportion to itself; the step is eps * v whatever x is."),
    Mutant("2.2", "changes x", ALONG, IN_PLACE, "x += ... changes the array that you were given, and it is not put back; x + eps * v makes a new one."),
    Mutant("2.2", "summed", ALONG, "return (f(x + eps * v) - f(x - eps * v)).sum() / (2 * eps)", "the outputs are summed up; J v has a number for each output."),
    Mutant("2.3", "cotangent of ones", "u = rng.standard_normal(np.shape(f(*inputs)))", "u = np.ones(np.shape(f(*inputs)))", "u is all ones, and ones are blind: each output needs a weight of its own.", "the pitfall"),
    Mutant("2.3", "direction of ones", "v = rng.standard_normal(x.shape)", "v = np.ones(x.shape)", "v is all ones, so only the sum of the gradient is looked at; entries in the wrong places do not show."),
    Mutant("2.3", "sign not dropped", "errors.append(abs(forward - backward)", "errors.append((forward - backward)", "a difference below zero counts as small; take abs of it."),
    Mutant("2.3", "first input only", "enumerate(zip(inputs, gradients))", "enumerate(zip(inputs[:1], gradients))", "only the first input is looked at; there is a gradient for each."),
    Mutant("2.3", "last input counts", "int(np.argmax(errors))", "len(errors) - 1", "the report is about the last input, and not about the one with the largest error."),
    Mutant("2.3", "best input counts", "np.argmax(errors)", "np.argmin(errors)", "the report is about the input with the smallest error; one wrong gradient is enough to be wrong."),
    Mutant("2.3", "absolute error", " / max(abs(forward), np.linalg.norm(gradient), 1e-3)", "", "the error is not relative: a gradient of size a million is rounded more coarsely, and is rejected for that."),
    Mutant("2.3", "divided by rounding", "np.linalg.norm(gradient), 1e-3)", "np.linalg.norm(gradient))", "where the gradient is 0, rounding is divided by rounding, and a right function is rejected; divide by no less than 0.001."),
    Mutant("2.3", "cotangent forgotten", "(u * slope).sum()", "slope.sum()", "the cotangent u is left out on the forward side; it is the sum of u times J v."),
    Mutant("2.3", "direction forgotten", "(v * gradient).sum()", "gradient.sum()", "the direction v is left out on the backward side; it is the sum of v times the gradient."),
    Mutant("2.3", "two cotangents", "gradients = vjp(u, *inputs)", "gradients = vjp(rng.standard_normal(u.shape), *inputs)", "forward and backward have different cotangents; draw u once and use it on both sides."),
    Mutant("2.3", "verdict turned round", "<= TOLERANCE", "> TOLERANCE", "ok says the opposite: it is True where the error is small."),
    Mutant("2.4", "cotangent of ones", "u = rng.standard_normal(y.shape)", "u = np.ones(y.shape)", "u is all ones, and ones are blind: each output needs a weight of its own.", "the pitfall"),
    Mutant("2.4", "ones as input", "x = rng.standard_normal(x_shape)", "x = np.ones(x_shape)", "x is all ones, so only the sum of what comes back is looked at."),
    Mutant("2.4", "result as cotangent", "u = rng.standard_normal(y.shape)", "u = y", "u is the result itself; some mistakes cancel then. Draw it on its own."),
    Mutant("2.4", "sign not dropped", "float(abs(difference)", "float((difference)", "the difference may be below zero; take abs of it."),
    Mutant("2.4", "absolute error", " / (np.linalg.norm(y) * np.linalg.norm(u))", "", "the error is not relative: with numbers of size a million, rounding alone is larger."),
    Mutant("2.4", "forward twice", "backward(u)", "forward(u)", "u goes forward once more; it should go backward, from outputs to inputs."),
    Mutant("2.4", "result sent back", "backward(u)", "backward(y)", "the result y is sent back and not the cotangent u."),
    Mutant("2.4", "mean", "(y * u).sum()", "(y * u).mean()", "one side is a mean, the other a sum."),
]  # fmt: skip
