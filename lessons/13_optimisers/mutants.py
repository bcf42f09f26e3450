"""Mistakes that students make in lesson 13."""

from minidepth.learn import Mutant

CORRECTED = "m / (1 - betas[0] ** t), v / (1 - betas[1] ** t)"
SHARE = "(step - warmup) / (total - warmup)"
NORM = "np.sqrt(sum((g**2).sum() for g in grads))"
FACTOR = "max_norm / max(norm, max_norm)"

MUTANTS = [
    Mutant("13.1", "uphill", "w - lr * v", "w + lr * v", "the step goes uphill: the gradient points to where the loss grows, so it is w minus lr v."),
    Mutant("13.1", "mean of gradients", "momentum * v + g", "momentum * v + (1 - momentum) * g", "here v is a sum of gradients and not a mean: g has no factor (1 - momentum)."),
    Mutant("13.1", "rate in the speed", "v = momentum * v + g\n    return w - lr * v, v", "v = momentum * v + lr * g\n    return w - v, v", "lr is inside v, as in Keras. That is the same until lr changes; here v holds gradients, and lr comes with the step."),
    Mutant("13.1", "downhill speed", "v = momentum * v + g\n    return w - lr * v, v", "v = momentum * v - lr * g\n    return w + v, v", "v points downhill and has lr in it, as in some books. The way is the same until lr changes; here v holds gradients, and the step is w - lr v."),
    Mutant("13.1", "old speed", "v = momentum * v + g\n    return w - lr * v, v", "return w - lr * v, momentum * v + g", "the step is made with the old v; first the new one, then the step with it."),
    Mutant("13.1", "Nesterov", "w - lr * v", "w - lr * (g + momentum * v)", "this is Nesterov's momentum, which looks one step ahead; the exercise asks for the plain one."),
    Mutant("13.1", "momentum on g", "momentum * v + g", "v + momentum * g", "momentum belongs to the old v, which it slows down; g comes in whole."),
    Mutant("13.1", "no momentum", "momentum * v + g", "g", "the old v is forgotten, so this is a plain step."),
    Mutant("13.1", "in place", "v = momentum * v + g", "v *= momentum\n    v += g", "v *= changes the array that you were given; v = momentum * v + g makes a new one."),
    Mutant("13.1", "g handed on", "return w - lr * v, v", "return w - lr * v, g", "it returns g in place of the new v, so the next step forgets all before."),
    Mutant("13.2", "no correction", CORRECTED, "m, v", "the bias correction is missing: m and v begin at 0 and are too small at first.", "the pitfall"),
    Mutant("13.2", "mean corrected alone", CORRECTED, "m / (1 - betas[0] ** t), v", "only m is corrected; v is too small at first as well, and even more so."),
    Mutant("13.2", "t one too small", CORRECTED, "m / (1 - betas[0] ** (t - 1)), v / (1 - betas[1] ** (t - 1))", "t is one too small in the correction: the first step is number 1, and 1 - beta^0 would be 0."),
    Mutant("13.2", "eps in the root", "(np.sqrt(vhat) + eps)", "np.sqrt(vhat + eps)", "eps is inside the root; it is added to the root."),
    Mutant("13.2", "no root", "np.sqrt(vhat)", "vhat", "the root is missing: v is a mean of squares, so its root has the size of a gradient."),
    Mutant("13.2", "decay after the step", "w - lr * mhat", "w - (1 - lr * weight_decay * decoupled) * lr * mhat", "the decay comes after the step and shrinks that as well; shrink w first."),
    Mutant("13.2", "betas swapped", "betas[0] * m + (1 - betas[0]) * g", "betas[1] * m + (1 - betas[1]) * g", "m uses the second beta; the first one belongs to m, the second one to v."),
    Mutant("13.2", "sum of gradients", "betas[0] * m + (1 - betas[0]) * g", "betas[0] * m + g", "m is a sum here; a running mean needs g times (1 - beta1)."),
    Mutant("13.2", "corrected ones kept", ", m, v", ", mhat, vhat", "it returns the corrected means, which the next step would correct once more."),
    Mutant("13.2", "L2 for decoupled", "if decoupled:\n        w = (1 - lr * weight_decay) * w\n    else:\n        g", "if True:\n        g", "decoupled decay shrinks w by itself; here it is an L2 penalty, added to the gradient.", "the pitfall"),
    Mutant("13.2", "decoupled for L2", "if decoupled", "if True", "an L2 penalty adds weight_decay * w to the gradient; here w shrinks by itself, which is the decoupled kind."),
    Mutant("13.2", "decay without the rate", "(1 - lr * weight_decay)", "(1 - weight_decay)", "decoupled decay is multiplied by lr, too: w shrinks by lr * weight_decay in a step."),
    Mutant("13.3", "first step 0", "(step + 1)", "step", "the first rate is 0, so a step is lost; steps count from 0, and the first rate is lr / warmup."),
    Mutant("13.3", "share of the whole run", SHARE, "step / total", "the cosine has run on during the warm-up; its share counts the steps after that."),
    Mutant("13.3", "warm-up counted twice", SHARE, "(step - warmup) / total", "the share never comes near 1: divide by the steps after the warm-up, total - warmup."),
    Mutant("13.3", "one step more", "step < warmup", "step <= warmup", "the warm-up is one step too long, and its last rate is above lr."),
    Mutant("13.3", "no half", "(1 + np.cos(np.pi * share)) / 2", "(1 + np.cos(np.pi * share))", "1 + cos goes from 2 to 0; half of that goes from 1 to 0."),
    Mutant("13.3", "upside down", "1 + np.cos", "1 - np.cos", "the rate rises after the warm-up; 1 + cos falls."),
    Mutant("13.3", "degrees", "np.pi * share", "180 * share", "np.cos takes radians: half a turn is pi, not 180."),
    Mutant("13.3", "straight line", "(1 + np.cos(np.pi * share)) / 2", "(1 - share)", "the rate falls along a straight line; half a cosine is flat at both ends."),
    Mutant("13.3", "below zero", "(1 + np.cos(np.pi * share)) / 2", "np.cos(np.pi * share)", "a cosine alone becomes negative, and negative rates go uphill."),
    Mutant("13.3", "quarter of a turn", "(1 + np.cos(np.pi * share)) / 2", "np.cos(np.pi / 2 * share)", "this is a quarter of a turn, cos(pi s / 2); the exercise asks for half of one, (1 + cos(pi s)) / 2."),
    Mutant("13.3", "down to 0", SHARE, "(step - warmup) / max(total - 1 - warmup, 1)", "the last step has the rate 0 and is lost; the cosine would reach 0 one step later."),
    Mutant("13.4", "each by itself", "[factor * g for g in grads]", "[g * max_norm / max(np.sqrt((g**2).sum()), max_norm) for g in grads]", "each array is shortened by itself, which turns the direction; all get the same factor."),
    Mutant("13.4", "short ones stretched", FACTOR, "max_norm / norm if norm else 1.0", "gradients that are short enough are made longer; the factor is never above 1."),
    Mutant("13.4", "values clipped", "[factor * g for g in grads]", "[np.clip(g, -max_norm, max_norm) for g in grads]", "each number is cut off by itself, which turns the direction; multiply all of them by one factor."),
    Mutant("13.4", "no root", NORM, NORM.replace("np.sqrt", ""), "the root is missing: this is the square of the length."),
    Mutant("13.4", "lengths added", NORM, "sum(np.sqrt((g**2).sum()) for g in grads)", "the lengths of the arrays are added; add the squares of all numbers, then take one root."),
    Mutant("13.4", "absolute values", NORM, "sum(np.abs(g).sum() for g in grads)", "this adds absolute values; the length is the root of the sum of squares."),
    Mutant("13.4", "length after", "float(norm)", "float(factor * norm)", "the length afterwards is returned; the one before tells you what the gradient was like."),
    Mutant("13.4", "mean of squares", NORM, "np.sqrt(sum((g**2).mean() for g in grads))", "means of squares are added; a length adds the squares themselves."),
    Mutant("13.4", "in place", "return [factor * g for g in grads], float(norm)", "for g in grads:\n        g *= factor\n    return grads, float(norm)", "it changes the gradients that it was given; return new arrays."),
    Mutant("13.4", "zero by zero", FACTOR, "min(1.0, max_norm / float(norm))", "gradients that are all 0 end in a division by 0; divide by max(norm, max_norm)."),
]  # fmt: skip
