"""Checks of lesson 13: whole histories of gradients, each with its weight, in place of one step after another."""

import math

import numpy as np

from minidepth.learn import check, replaces


@check(
    "13.1",
    title="a step with momentum",
    points=2,
    hints=[
        "First the new speed, then the step with it. Both lines stand in the lesson.",
        "v = momentum * v + g makes a new array; v *= momentum would change the one that you were given.",
    ],
)
def momentum(t):
    w, g, v = t.randn(3, 4), t.randn(3, 4), t.randn(3, 4)
    answer = t.call("sgd_step", w, g, v, 0.3, 0.7)
    answer.item(0, 2).close(w - 0.3 * g - 0.21 * v, "the new w")
    answer.item(1, 2).close(g + 0.7 * v, "the new v")
    # With a gradient that is always g, the speeds are g (1 + 0.5 + 0.25 + ...).
    weight, speed = w, np.zeros((3, 4))
    for _ in range(5):
        answer = t.call("sgd_step", weight, g, speed, 0.1, 0.5)
        weight, speed = answer.item(0, 2).value, answer.item(1, 2).value
    answer.item(1).close(g * (1 - 0.5**5) / 0.5, "v after five steps with the same gradient")
    answer.item(0).close(w - 0.1 * g * sum((1 - 0.5**k) / 0.5 for k in range(1, 6)), "w after five of them")


def running_mean(history, beta):
    """What m and v are after these gradients: each has its weight, and the weights add up to 1 - beta^t."""
    return sum((1 - beta) * beta**age * g for age, g in enumerate(reversed(history)))


def expected_step(w, history, lr, betas, eps):
    """The new weight: weighted means of all gradients and of their squares, with weights that add up to 1."""
    ages = np.arange(len(history))[::-1]
    mean = np.average(history, axis=0, weights=betas[0] ** ages)
    square = np.average(np.square(history), axis=0, weights=betas[1] ** ages)
    return w - lr * mean / (square**0.5 + eps)


@check(
    "13.2",
    title="Adam",
    points=4,
    hints=[
        "In this order: decay, the two running means, their bias correction, the step. Every line is in the lesson.",
        "Return m and v as they are before the correction: the next step goes on from those.",
        "With decoupled, w shrinks by lr * weight_decay and g stays; without, weight_decay * w is added to g.",
    ],
)
def adam(t):
    betas, eps, before = (0.7, 0.9), 0.1, [t.randn(3, 4), t.randn(3, 4)]
    for decay, decoupled in ((0.0, False), (0.4, True), (0.4, False)):
        w, g = t.randn(3, 4), t.randn(3, 4)
        m, v = running_mean(before, betas[0]), running_mean(np.square(before), betas[1])
        shrunk = (1 - 0.2 * decay) * w if decoupled else w
        history = [*before, g if decoupled else g + decay * w]
        kind = "without decay" if not decay else "with decoupled decay" if decoupled else "with L2 decay"
        answer = t.call("adam_step", w, g, m, v, 3, 0.2, betas, eps, decay, decoupled)
        answer.item(0, 3).close(expected_step(shrunk, history, 0.2, betas, eps), f"w in step 3, {kind}")
        answer.item(1, 3).close(running_mean(history, betas[0]), f"m in step 3, {kind}")
        answer.item(2, 3).close(running_mean(np.square(history), betas[1]), f"v in step 3, {kind}")
    zero, g = np.zeros((3, 4)), t.uniform(0.5, 2, 3, 4) * np.sign(t.randn(3, 4))
    first = t.call("adam_step", w, g, zero, zero, 1, 0.2).item(0, 3)
    first.close(w - 0.2 * np.sign(g), "w after the first step, which moves every weight by lr")
    still = t.call("adam_step", w, zero, zero, zero, 1, 0.2, betas, eps, 0.5, True).item(0, 3)
    still.close(0.9 * w, "w where the gradient is 0 and only decoupled decay moves it")


def rates(mine, total, lr, warmup):
    """The whole schedule."""
    return np.array([float(mine.warmup_cosine(step, total, lr, warmup)) for step in range(total)])


@check(
    "13.3",
    title="a rate that changes",
    points=2,
    hints=[
        "Two cases: step < warmup, and all later steps.",
        "The last step of the warm-up is number warmup - 1, and its rate is lr: lr * (step + 1) / warmup.",
        "The share goes from 0 at step = warmup towards 1 at step = total; np.cos takes radians.",
    ],
)
def schedule(t):
    for total, warmup in ((10, 3), (8, 0), (7, 1)):
        lr = t.uniform(0.5, 2)
        # (1 + cos a) / 2 is the square of cos(a / 2).
        falling = [lr * math.cos(math.pi / 2 * k / (total - warmup)) ** 2 for k in range(total - warmup)]
        expected = np.array([*np.linspace(0, lr, warmup + 1)[1:], *falling])
        what = f"the rates of {total} steps, {warmup} of them warm-up, for lr = {lr:.4g}"
        t.run(rates, total, lr, warmup).close(expected, what)


def clipped(mine, grads, max_norm):
    """The gradients alone: so a mistake in them is recognised whatever the length is."""
    answer = mine.clip_by_norm([g.copy() for g in grads], max_norm)
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise TypeError("clip_by_norm must return two things, the list of gradients and their length before")
    return list(answer[0])


@check(
    "13.4",
    title="no step too far",
    points=2,
    hints=[
        "The length of all together: the root of the sum of all squares, over all arrays.",
        "One factor for all arrays: max_norm / norm where norm is larger than max_norm, and 1 elsewhere.",
    ],
)
def clip(t):
    grads = [t.randn(3, 4), t.randn(5), 3 * t.randn(2, 2)]
    norm = math.hypot(*np.concatenate([g.ravel() for g in grads]).tolist())
    for most in (0.4 * norm, 2.5 * norm):
        kind = "too long" if most < norm else "short enough"
        shortened = t.run(clipped, grads, most)
        for i, g in enumerate(grads):
            shortened.item(i, 3).close(min(most / norm, 1) * g, f"gradient {i} of 3, together {kind}")
        t.call("clip_by_norm", grads, most).item(1, 2).close(norm, f"the length before, gradients {kind}")
    answer = t.call("clip_by_norm", [np.zeros(3), np.zeros((2, 2))], 1.0)
    answer.close(([np.zeros(3), np.zeros((2, 2))], 0.0), "gradients that are all 0")


class Steps:
    """An optimiser for the library's parameters, from a function that gives the new weight and what it keeps."""

    def __init__(self, params, sums, rule):
        self.params, self.rule, self.t = params, rule, 0
        self.kept = [[np.zeros_like(p.data) for _ in range(sums)] for p in params]

    def step(self):
        self.t += 1
        for p, kept in zip(self.params, self.kept):
            if p.grad is not None:
                p.data[...], *kept[:] = self.rule(p.data, p.grad, *kept, self.t)

    def zero_grad(self):
        for p in self.params:
            p.grad = None


@replaces("optimizer", "13.1")
def your_sgd(yours, params):
    """Your step with momentum in place of the library's Adam."""
    return Steps(params, 1, lambda w, g, v, t: yours.sgd_step(w, g, v, 1e-2, 0.9))


@replaces("optimizer", "13.2")
def your_adam(yours, params):
    """Your Adam in place of the library's."""
    return Steps(params, 2, lambda w, g, m, v, t: yours.adam_step(w, g, m, v, t, 3e-3))
