"""Checks of lesson 3: gradients found by following single numbers, which knows no axes and no transposes."""

import numpy as np

from minidepth.learn import check


def by_counting(g, shape):
    """What `unbroadcast` should give: number the small array, stretch the numbers, and add up what bears the same."""
    count = int(np.prod(shape))
    numbers = np.broadcast_to(np.arange(count).reshape(shape), g.shape)
    return np.bincount(numbers.ravel(), weights=g.ravel(), minlength=count).reshape(shape)


def by_units(g, shape, forward):
    """The gradient of a linear function: what each single 1 of the input does to the output, weighted with g."""
    units = np.eye(int(np.prod(shape))).reshape(-1, *shape)
    return np.array([(g * forward(unit)).sum() for unit in units]).reshape(shape)


def pair_of_shapes(t):
    """A shape of up to four axes, and one that can be stretched to it."""
    large = tuple(int(n) for n in t.rng.integers(1, 4, t.rng.integers(0, 5)))
    small = tuple(n if t.rng.random() < 0.5 else 1 for n in large)
    return small[int(t.rng.integers(0, len(large) + 1)) :], large


def shares_memory(mine, name, *args):
    """Which results of a function lie in the memory of an array that it was given, or of each other."""
    results = getattr(mine, name)(*args)
    results = results if isinstance(results, tuple) else (results,)
    others = [arg for arg in args if isinstance(arg, np.ndarray)]
    return [
        any(np.shares_memory(result, other) for other in [*others, *results[:i]]) for i, result in enumerate(results)
    ]


@check(
    "3.1",
    title="undo a stretch",
    points=3,
    hints=[
        "Axes that were put in front are those that g has more than shape has. Sum over axis 0 until they are gone.",
        "Then the two have equally many axes. Where shape has a 1, sum over that axis, with keepdims=True.",
        "Where nothing was stretched, nothing is summed, and g itself would be returned: return g.copy().",
    ],
)
def stretch(t):
    for shape, large in (((3, 1, 5), (2, 3, 4, 5)), ((1, 3, 1), (2, 3, 3, 2)), ((4,), (2, 3, 4)), ((), (2, 3))):
        g = t.randn(*large)
        t.call("unbroadcast", g, shape).close(by_counting(g, shape), f"gradient of {shape}, stretched to {large}")
    for _ in range(40):
        shape, large = pair_of_shapes(t)
        g = t.rng.standard_normal(large)
        what = f"gradient of {shape}, stretched to {large}"
        t.call("unbroadcast", g, shape).close(by_counting(g, shape), what, atol=1e-9)
    same = t.run(shares_memory, "unbroadcast", t.randn(2, 3), (2, 3)).value
    t.that(
        not any(same),
        "where nothing was stretched, the result is g itself: whoever changes one of the two changes both",
    )


@check(
    "3.2",
    title="the gradients of a product",
    points=3,
    hints=[
        "Write the shapes below each other: g (n, m), a (n, k), b (k, m). da = g b' and db = a' g.",
        "b' is b.swapaxes(-1, -2): .T would turn the axes of the stack round, too.",
        "da and db come out with the axes of the stack; unbroadcast(da, a.shape) adds up what was the same matrix.",
    ],
)
def product(t):
    shapes = (
        ((3, 3), (3, 3)),
        ((3, 3, 3), (3, 3, 3)),
        ((2, 3, 4), (4, 5)),
        ((3, 4), (2, 4, 2)),
        ((2, 1, 3, 4), (3, 4, 2)),
    )
    pairs = [(t.randn(*a), t.randn(*b)) for a, b in shapes]
    pairs = [(a, b, t.randn(*np.matmul(a, b).shape)) for a, b in pairs]
    for some in (pairs[:2], pairs[2:]):  # all sizes equal first: there a wrong formula gives numbers, and no error
        for a, b, g in some:
            expected = by_units(g, a.shape, lambda unit, b=b: unit @ b)
            t.run(da_of_matmul_vjp, g, a, b).close(expected, f"da for {a.shape} @ {b.shape}")
        for a, b, g in some:
            expected = by_units(g, b.shape, lambda unit, a=a: a @ unit)
            t.run(db_of_matmul_vjp, g, a, b).close(expected, f"db for {a.shape} @ {b.shape}")
    t.call("matmul_vjp", g, a, b).item(1, 2)  # must leave its inputs as they are


def da_of_matmul_vjp(mine, g, a, b):
    """One result at a time: so a mistake in one is recognised whatever the other is."""
    return both(mine.matmul_vjp(g, a, b))[0]


def db_of_matmul_vjp(mine, g, a, b):
    """The other one."""
    return both(mine.matmul_vjp(g, a, b))[1]


def both(results):
    """The results, if there are two."""
    if not isinstance(results, (tuple, list)) or len(results) != 2:
        raise TypeError("matmul_vjp must return two arrays, da and db")
    return results


@check(
    "3.3",
    title="the gradient of a mean",
    points=2,
    hints=[
        "Every x that went into a mean gets the g of that mean, divided by how many went in.",
        "np.expand_dims(g, axis) puts the axis back with length 1; np.broadcast_to(..., shape) copies along it.",
        "count is how many times more numbers x has than g.",
    ],
)
def mean(t):
    for shape, axis in (((3, 3, 3), 1), ((2, 3, 4), 1), ((2, 3, 4), (0, 2)), ((2, 3, 4), -2), ((3, 4), (0, 1))):
        g = np.asarray(t.rng.standard_normal(np.zeros(shape).mean(axis).shape))
        expected = by_units(g, shape, lambda unit, axis=axis: unit.mean(axis))
        t.call("mean_vjp", g, shape, axis).close(expected, f"dx for x {shape} and axis {axis}")
    free = t.run(can_be_added_to, (2, 3), 0).value
    t.that(free, "the result cannot be added to: it is a view that shows g several times; make it an array of its own")


def can_be_added_to(mine, shape, axis):
    """Whether the gradient of a mean is an array of its own."""
    dx = mine.mean_vjp(np.ones(shape[1:]), shape, axis)
    return bool(dx.flags.writeable)


@check(
    "3.4",
    title="the gradient of rows that were picked",
    points=2,
    hints=[
        "Begin with zeros of the shape of x. A row that nobody picked keeps its zeros.",
        "A row that was picked twice gets two shares. dx[index] += g forgets one of them; np.add.at does not.",
    ],
)
def picked(t):
    for shape, index in (
        ((5, 3), np.array([4, 0, 4, 2, 0, 4])),
        ((4, 2, 3), np.array([[1, 1], [3, 0], [1, -1]])),
        ((6,), np.array([2, 2, 0])),
    ):
        g = t.randn(*index.shape, *shape[1:])
        expected = by_units(g, shape, lambda unit, index=index: unit[index])
        t.call("pick_vjp", g, index, shape).close(expected, f"dx for x {shape} and index {index.tolist()}")
