"""Checks of lesson 2. Quadratic and cubic functions, whose central differences are known exactly; and for the
checkers, right and wrong backward functions that they must tell apart."""

import numpy as np

from minidepth.learn import check


def quadratic(matrix):
    """x' M x over all entries of x: a central difference of it is exact for any eps."""
    return lambda x: float(x.ravel() @ matrix @ x.ravel())


def numerical_gradient_of_a_quadratic(mine, matrix, x, eps):
    """The gradient, and whether x is still what it was."""
    before = x.copy()
    gradient = mine.numerical_gradient(quadratic(matrix), x, eps)
    return {"gradient": gradient, "x afterwards": bool((x == before).all())}


def numerical_gradient_of_cubes(mine, weight, x, eps):
    """Of the weighted sum of x^3."""
    return mine.numerical_gradient(lambda z: float((weight * z**3).sum()), x, eps)


@check(
    "2.1",
    title="a gradient, number by number",
    points=2,
    hints=[
        "for place in np.ndindex(x.shape) walks over all entries, however many axes there are; x[place] is one.",
        "Make a step: zeros of the shape of x, new for each place, with eps at that place. Then f(x + step) and "
        "f(x - step) leave x as it is.",
        "gradient[place] = (f(x + step) - f(x - step)) / (2 * eps)",
    ],
)
def numerical(t):
    x, matrix = t.randn(2, 3), t.randn(6, 6)
    answer = t.run(numerical_gradient_of_a_quadratic, matrix, x, 0.1)
    gradient = ((matrix + matrix.T) @ x.ravel()).reshape(2, 3)
    expected = {"gradient": gradient, "x afterwards": True}
    if isinstance(answer.value, dict) and answer.value["x afterwards"] is False:
        t.that(False, "x is not what it was: move a copy, or put each entry back")
    answer.close(expected, "numerical_gradient of a quadratic function of x (2, 3), eps = 0.1", 1e-9)
    weight = t.randn(2, 1, 3)
    x = t.randn(2, 1, 3)
    answer = t.run(numerical_gradient_of_cubes, weight, x, 0.3)
    answer.close(weight * (3 * x**2 + 0.3**2), "numerical_gradient of cubes of x (2, 1, 3), eps = 0.3", 1e-9)


def directional_of_quadratics(mine, first, second, x, v, eps):
    """The slope of four quadratic functions along v, and whether x is still what it was."""
    before = x.copy()
    slope = mine.directional(lambda z: first @ z.ravel() ** 2 + second @ z.ravel(), x, v, eps)
    return {"slope": slope, "x afterwards": bool((x == before).all())}


def directional_of_cubes(mine, x, v, eps):
    """Of x^3, entry by entry."""
    return mine.directional(lambda z: z**3, x, v, eps)


@check(
    "2.2",
    title="along a direction",
    points=1,
    hints=[
        "The whole of x moves: to x + eps * v and to x - eps * v. What is f at these two places?",
        "The difference of the two, divided by 2 * eps. Mind the brackets: / 2 * eps multiplies with eps.",
    ],
)
def along(t):
    x, v, first, second = t.randn(2, 3), t.randn(2, 3), t.randn(4, 6), t.randn(4, 6)
    answer = t.run(directional_of_quadratics, first, second, x, v, 0.1)
    if isinstance(answer.value, dict) and answer.value["x afterwards"] is False:
        t.that(False, "x is not what it was: x += ... changes the array that you were given")
    expected = {"slope": first @ (2 * x * v).ravel() + second @ v.ravel(), "x afterwards": True}
    answer.close(expected, "directional, four quadratic functions of x (2, 3), eps = 0.1", 1e-9)
    expected = 3 * x**2 * v + 0.3**2 * v**3
    t.run(directional_of_cubes, x, v, 0.3).close(expected, "directional, cubes of x (2, 3), eps = 0.3", 1e-9)


# --- what a checker must tell apart ---------------------------------------------------------------------------------


def blur(x):
    return 0.5 * x + 0.3 * np.roll(x, 1) + 0.2 * np.roll(x, 2)


def blur_back(u):
    return 0.5 * u + 0.3 * np.roll(u, -1) + 0.2 * np.roll(u, -2)


def standardise(x):
    return (x - x.mean()) / x.std()


def standardise_back(u, x):
    y = standardise(x)
    return (u - u.mean() - y * (u * y).mean()) / x.std()


def center(x, b):
    y = 0.1 * (np.sin(x) + b)
    return y - y.mean()


def four_sines(*inputs):
    return sum(np.sin(x) for x in inputs)


def four_wrong(u, *inputs):
    return tuple(u * np.cos(x) * (1 + off) for x, off in zip(inputs, (1e-4, 1, 1e-5, 1e-4)))


CASES = {
    "a product of two matrices": (True, np.matmul, lambda u, a, b: (u @ b.T, a.T @ u), [(2, 3), (3, 4)]),
    "sin, with a gradient twice too large": (False, np.sin, lambda u, x: (2 * u * np.cos(x),), [(3, 4)]),
    "sin, with a gradient half as large as it is": (False, np.sin, lambda u, x: (u * np.cos(x) / 2,), [(3, 4)]),
    "a sum of four sines, the second gradient twice too large, the others nearly right": (
        False, four_sines, four_wrong, [(6,)] * 4,
    ),
    "blur, with the weights turned round": (False, blur, lambda u, x: (blur(u),), [(9,)]),
    "standardise, with a gradient of zeros": (False, standardise, lambda u, x: (0 * u,), [(9,)]),
    "standardise, with the variance forgotten": (
        False, standardise, lambda u, x: ((u - u.mean()) / x.std(),), [(9,)],
    ),
    "blur, with the gradient shifted by one place": (False, blur, lambda u, x: (np.roll(blur_back(u), 1),), [(9,)]),
    "a product of two matrices, the first gradient wrong": (
        False, np.matmul, lambda u, a, b: (1.5 * u @ b.T, a.T @ u), [(2, 3), (3, 4)],
    ),
    "a product of two matrices, the second gradient wrong": (
        False, np.matmul, lambda u, a, b: (u @ b.T, a.T @ u + 0.1), [(2, 3), (3, 4)],
    ),
    "sin, with one entry of the gradient twice too large": (
        False, np.sin, lambda u, x: (u * np.cos(x) * (1 + (np.arange(12) == 7).reshape(3, 4)),), [(3, 4)],
    ),
    "sin, with a gradient of nan": (False, np.sin, lambda u, x: (np.nan * u,), [(3, 4)]),
    "standardise": (True, standardise, lambda u, x: (standardise_back(u, x),), [(9,)]),
    "blur": (True, blur, lambda u, x: (blur_back(u),), [(9,)]),
    "a million times sin": (True, lambda x: 1e6 * np.sin(x), lambda u, x: (1e6 * u * np.cos(x),), [(3, 4)]),
    "a bias that a mean takes off again, so that its gradient is 0": (
        True, center, lambda u, x, b: (0.1 * np.cos(x) * (u - u.mean()), 0 * b), [(5,), (1,)],
    ),
    "the sum of squares, a single number": (
        True, lambda x: (x**2).sum(), lambda u, x: (2 * u * x,), [(2, 3)],
    ),
}  # fmt: skip
"""Whether the backward function is right, forward, backward, and the shapes of the inputs."""

WORST = {
    "a sum of four sines, the second gradient twice too large, the others nearly right": 1,
    "a product of two matrices, the first gradient wrong": 0,
    "a product of two matrices, the second gradient wrong": 1,
}


def our_directional(f, x, v, eps=1e-6):
    """For exercise 2.3: one of our own, so that a mistake in 2.2 does not show twice."""
    return (f(x + eps * v) - f(x - eps * v)) / (2 * eps)


def gradcheck(mine, name, inputs, seed):
    """What the learner's gradcheck says about a case. Theirs finds our directional in place of their own."""
    _, f, vjp, _ = CASES[name]
    names = mine.gradcheck.__globals__
    theirs = names.get("directional")
    names["directional"] = our_directional
    try:
        report = mine.gradcheck(f, vjp, tuple(inputs), rng=np.random.default_rng(seed))
    finally:
        names["directional"] = theirs
    if not isinstance(report, tuple) or len(report) != 3:
        return None
    # Errors near 1e-11 are rounding, which differs between two right programs: the 1 beside them says what is large,
    # and where nothing is wrong, it does not matter which input is the worst.
    max_rel, worst_index, ok = float(report[0]), int(report[1]), bool(report[2])
    return {"max_rel": np.array([max_rel, 1]), "worst_index": -1 if max_rel < 1e-6 else worst_index, "ok": ok}


@check(
    "2.3",
    title="gradcheck",
    points=4,
    hints=[
        "u has the shape of the result: u = rng.standard_normal(np.shape(f(*inputs))). Ask vjp(u, *inputs) once; it "
        "gives a gradient for each input.",
        "For input i, with v of its shape: directional(lambda moved: f(*inputs[:i], moved, *inputs[i + 1:]), x, v, "
        "eps) is J v. Then compare (u * that).sum() with (v * gradient).sum().",
        "The error is abs(forward - backward) / max(abs(forward), np.linalg.norm(gradient), 1e-3). Keep the one of "
        "each input; the report has the largest, its place (np.argmax), and whether it is <= TOLERANCE.",
    ],
)
def checker(t):
    for seed, (name, (right, _, _, shapes)) in enumerate(CASES.items(), 3):
        inputs = [t.randn(*shape) for shape in shapes]
        told = t.run(gradcheck, name, inputs, seed).value
        t.that(told is not None, "gradcheck must give back a GradReport(max_rel, worst_index, ok)")
        where = f", worst_index = {told['worst_index']}" if told["worst_index"] >= 0 else ""
        error = f"your report: max_rel = {told['max_rel'][0]:.2g}{where}, ok = {told['ok']}"
        if right:
            t.that(told["ok"], f"your gradcheck rejects a right backward function: {name}", error)
        else:
            t.that(not told["ok"], f"your gradcheck accepts a wrong backward function: {name}", error)
        place = WORST.get(name, told["worst_index"])
        t.that(told["worst_index"] == place, f"{name}: worst_index should be {place}", error)


MATRIX = np.random.default_rng(0).standard_normal((5, 7))

LINEAR = {
    "blur": (True, blur, blur_back, (3, 4)),
    "a matrix (5, 7)": (True, lambda x: MATRIX @ x, lambda u: MATRIX.T @ u, (7,)),
    "a matrix, twice as large on the way back": (False, lambda x: MATRIX @ x, lambda u: 2 * MATRIX.T @ u, (7,)),
    "a matrix, half as large on the way back": (False, lambda x: MATRIX @ x, lambda u: MATRIX.T @ u / 2, (7,)),
    "a running sum": (True, np.cumsum, lambda u: np.cumsum(u[::-1])[::-1], (6,)),
    "a million times padding": (True, lambda x: 1e6 * np.pad(x, (2, 1)), lambda u: 1e6 * u[2:-1], (6,)),
    "blur, with the weights turned round": (False, blur, blur, (9,)),
    "a running sum, from the wrong end": (False, np.cumsum, np.cumsum, (6,)),
    "the identity, with neighbours mixed in on the way back": (
        False, lambda x: x.copy(), lambda u: u + np.roll(u, 1) - np.roll(u, -1), (9,),
    ),
}  # fmt: skip
"""Whether backward is the adjoint of forward, the two, and the shape of x."""


def adjoint_error(mine, name, seed):
    """The learner's error for a case, beside a 1 as above; None where there is none."""
    _, forward, backward, shape = LINEAR[name]
    error = mine.adjoint_error(forward, backward, shape, np.random.default_rng(seed))
    return None if error is None else np.array([float(error), 1])


@check(
    "2.4",
    title="no eps at all",
    points=2,
    hints=[
        "Three things to draw or compute before anything is compared: x of the shape x_shape, y = forward(x), and u of "
        "the shape of y.",
        "The two numbers are (y * u).sum() and (x * backward(u)).sum(); the result is the size of their difference, "
        "divided by np.linalg.norm(y) * np.linalg.norm(u).",
    ],
)
def adjoint(t):
    for seed, (name, (right, *_)) in enumerate(LINEAR.items()):
        value = t.run(adjoint_error, name, seed).value
        t.that(value is not None, "adjoint_error gives None; is there a return at the end?")
        error = f"your error is {value[0]:.2g}"
        t.that(value[0] > -1e-12, f"{name}: an error cannot be negative", error)
        if right:
            t.that(value[0] < 1e-12, f"{name}: the backward function is right, the error should be below 1e-12", error)
        else:
            t.that(value[0] > 1e-6, f"{name}: the backward function is wrong, the error should be large", error)
