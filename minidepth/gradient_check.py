"""Is a gradient right? Compare it with the function itself, from one random direction to one random cotangent.

A pullback claims to compute J'u: the transposed Jacobian J of a function, times the cotangent u = dL/dy. J is far too
big to write down, but one number of it is cheap to get in two ways. For a random direction v in input space,

    <J v, u>  =  <v, J'u>

    left:  how much <y, u> changes when the input moves along v, by a central difference of two forward passes:
           <J v, u>  ~  (<f(x + h v), u> - <f(x - h v), u>) / 2h
    right: one forward and one backward pass, and a dot product with v

That costs two extra forward passes whatever the size, and sees every element of every gradient at once. An error e in a
gradient g shows as <v, e>, which for normally distributed v has the size |e|. So |left - right| / |g| estimates the
relative error of the whole gradient, and the worst of a few draws is what a report shows.

**Why a random u, and not simply y.sum().backward()?** A sum has the cotangent "all ones", and ones are blind. Every
pixel inside a picture then gets the sum of all kernel taps as its gradient, so a convolution with a flipped kernel
passes everywhere but at the border, and there too with enough padding. The columns of a softmax and the channels of a
batch-norm have constant sums, so J'1 = 0, and a pullback that returns zeros passes. A random u gives each output a
weight of its own.

**How precise, and which step?** The central difference is off by about h^2 f'''/6 because h is finite, and by about
1e-16 |f| / h because numbers are rounded. For y = exp(x), worst of three draws:

    step h    1e-2   1e-3   1e-4   1e-5   1e-6   1e-7   1e-8   1e-10
    error     3e-5   3e-7   3e-9   4e-11  3e-11  5e-10  6e-9   8e-7

In float64 anything near 1e-5 would do. The default, 1e-6, gives nine or ten digits and stays close to x, which matters
where a function has kinks: no x +- h v may step over a ReLU's zero or change which pixel is the maximum. Choose inputs
that stay away from kinks and ties; `minidepth.gradient_inputs` makes such inputs. A right gradient then comes out at
1e-7 or better, a wrong one seldom below 1e-3, and the tolerance of 1e-6 lies between. In float32 the best step would
leave three digits, so checks are done in float64. Inputs are meant to be of size 1 or so; scale the step with them.

**Linear functions** need no step at all. If y = A x + c, then <f(x) - f(0), u> = <x, A'u> up to rounding, near 1e-15:
`check_adjoint`. Convolution, padding, average pooling, resizing are of this kind, in each of their inputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from minidepth.backend import Array
from minidepth.engine import Tensor, no_grad
from minidepth.gradient_report import GradientError, GradientReport, InputCheck, diagnosis

Probe = Callable[[Tensor, Array, Array], "tuple[float, float, float]"]


def gradcheck(
    function: Callable[..., Tensor],
    *inputs: Any,
    rng: np.random.Generator | int = 0,
    step: float = 1e-6,
    draws: int = 3,
    tolerance: float = 1e-6,
) -> GradientReport:
    """Check the gradients of your own function; a wrong one raises GradientError, which says what is wrong with it.

    >>> import numpy as np
    >>> import minidepth
    >>> print(minidepth.gradcheck(lambda x: (x * x).sum(), np.array([1.0, -2.0, 3.0])).ok)
    True

    The arguments are those of `check_gradient`, which returns its report either way.
    """
    report = check_gradient(function, *inputs, rng=rng, step=step, draws=draws, tolerance=tolerance)
    if not report.ok:
        raise GradientError(str(report))
    return report


def check_gradient(
    function: Callable[..., Tensor],
    *inputs: Any,
    rng: np.random.Generator | int = 0,
    step: float = 1e-6,
    draws: int = 3,
    tolerance: float = 1e-6,
) -> GradientReport:
    """Compare <v, J'u> from backward with <J v, u> from a central difference, for every input on its own.

    Args:
        function: takes the inputs as Tensors and returns one Tensor of any shape. It must not be random.
        inputs: arrays, which are given to the function as float64 Tensors; or Tensors that are float64 and require a
            gradient, such as the parameters of a model, which are moved in place and put back.
            Keep what is not to be differentiated out of here: ``gradcheck(lambda x: f(x, labels), x)``.
        rng: generator or seed of the directions and cotangents.
        step: h; it multiplies directions whose elements have size 1.
        draws: how many pairs (v, u) are tried; the worst counts.
        tolerance: largest relative error that is accepted.
    """
    rng = _generator(rng)
    with _float64_leaves(inputs) as leaves:

        def probe(leaf: Tensor, gradient: Array, u: Array) -> tuple[float, float, float]:
            base, v = leaf.data, rng.standard_normal(leaf.shape)
            with no_grad():
                leaf.data = base + step * v
                ahead = function(*leaves).data
                leaf.data = base - step * v
                behind = function(*leaves).data
            leaf.data = base
            rounding = np.finfo(np.float64).eps * float(np.linalg.norm(u * ahead)) / step
            return float(np.vdot(u, ahead - behind)) / (2 * step), float(np.vdot(v, gradient)), rounding

        return _compare("finite difference", function, leaves, rng, draws, tolerance, probe)


def check_adjoint(
    function: Callable[..., Tensor],
    *inputs: Any,
    rng: np.random.Generator | int = 0,
    draws: int = 3,
    tolerance: float = 1e-12,
) -> GradientReport:
    """Check the identity <f(x) - f(0), u> = <x, A'u> of a function that is linear in x, up to a constant: y = A x + c.

    With several inputs the function must be linear, up to a constant, in each while the others are held, as a
    convolution is in picture, weight and bias. The identity is exact, so the tolerance can be near rounding error.

    Only the shapes of the inputs matter: values are drawn anew. The other arguments are those of `check_gradient`.
    """
    rng = _generator(rng)
    with _float64_leaves(inputs) as leaves:

        def probe(leaf: Tensor, gradient: Array, u: Array) -> tuple[float, float, float]:
            x = leaf.data
            with no_grad():
                at_x = function(*leaves).data
                leaf.data = np.zeros_like(x)
                at_zero = function(*leaves).data
            leaf.data = x
            rounding = np.finfo(np.float64).eps * float(np.linalg.norm(u * at_x))
            return float(np.vdot(u, at_x - at_zero)), float(np.vdot(x, gradient)), rounding

        return _compare("adjoint", function, leaves, rng, draws, tolerance, probe, redraw=True)


def _compare(
    kind: str,
    function: Callable[..., Tensor],
    leaves: Sequence[Tensor],
    rng: np.random.Generator,
    draws: int,
    tolerance: float,
    probe: Probe,
    redraw: bool = False,
) -> GradientReport:
    """Draw cotangents, run backward, and let `probe` measure each gradient.

    ``probe(leaf, gradient, u)`` returns <J v, u> by forward passes, <v, J'u> by backward, and the first one's rounding.
    """
    names = [f"input {i} {leaf.shape}" for i, leaf in enumerate(leaves)]
    if redraw:
        _redraw(leaves, rng)
    problem = _problem_of_result(function, leaves)
    if problem:
        return GradientReport(kind, tolerance, tuple(InputCheck(name, math.inf, problem) for name in names))
    errors = [0.0] * len(leaves)
    pairs: list[list[tuple[float, float]]] = [[] for _ in leaves]
    for _ in range(draws):
        if redraw:
            _redraw(leaves, rng)
        for leaf in leaves:
            leaf.grad = None
        value = function(*leaves)
        u = rng.standard_normal(value.shape)
        value.backward(u)
        gradients: list[Any] = [leaf.grad for leaf in leaves]
        problems = [_problem_of_gradient(gradient) for gradient in gradients]
        if any(problems):
            checks = (InputCheck(name, math.inf if text else 0.0, text) for name, text in zip(names, problems))
            return GradientReport(kind, tolerance, tuple(checks))
        for i, (leaf, gradient) in enumerate(zip(leaves, gradients)):
            forward, backward, rounding = probe(leaf, gradient, u)
            # A gradient that is tiny beside the result is lost in the rounding of the forward passes (that of a bias
            # which batch-norm removes again is exactly 0). Below this floor the error counts in units of the floor.
            floor = 30 * rounding / tolerance
            scale = max(float(np.linalg.norm(gradient)), abs(forward), floor)
            error = abs(forward - backward) / scale if scale > 0 else 0.0
            errors[i] = max(errors[i], error if math.isfinite(error) else math.inf)
            pairs[i].append((forward, backward))
    texts = ["" if error <= tolerance else diagnosis(pair) for error, pair in zip(errors, pairs)]
    return GradientReport(kind, tolerance, tuple(map(InputCheck, names, errors, texts)))


def _problem_of_result(function: Callable[..., Tensor], leaves: Sequence[Tensor]) -> str:
    """Why the function's result cannot be checked, or nothing."""
    value: Any = function(*leaves)
    if not isinstance(value, Tensor):
        return f"the function returned {type(value).__name__}; it must return one Tensor"
    if value.dtype != np.float64:
        return f"the result is {value.dtype}: float64 was lost on the way (a constant or parameter of another dtype?)"
    bad = int(np.count_nonzero(~np.isfinite(value.data)))
    if bad:
        return f"{bad} of the {value.size} numbers in the result are not finite"
    if not value.requires_grad:
        return "the result does not lead back to any input (.data, .detach() or no_grad on the way?)"
    with no_grad():
        again = function(*leaves)
    if not np.array_equal(again.data, value.data):
        return "two calls gave two results; a function that is random or changes its own state cannot be checked"
    return ""


def _problem_of_gradient(grad: Array | None) -> str:
    """Why the gradient that arrived at a leaf cannot be right, or nothing."""
    if grad is None:
        return "no gradient arrived: the function does not use this input, or only through .data or .detach()"
    bad = int(np.count_nonzero(~np.isfinite(grad)))
    return f"{bad} of the {grad.size} numbers in the gradient are not finite" if bad else ""


def _generator(rng: np.random.Generator | int) -> np.random.Generator:
    """A seed leads to other numbers than in ``default_rng(seed)``, with which the input itself may have been drawn.

    A cotangent that is equal to the input would be no random one: for batch-norm, J'x is almost 0.
    """
    return rng if isinstance(rng, np.random.Generator) else np.random.default_rng([rng, 0xC07A])


def _redraw(leaves: Sequence[Tensor], rng: np.random.Generator) -> None:
    for leaf in leaves:
        leaf.data = rng.standard_normal(leaf.shape)


@contextmanager
def _float64_leaves(inputs: Sequence[Any]) -> Iterator[list[Tensor]]:
    """The inputs as float64 Tensors that require a gradient; given Tensors get their data and grad back at the end."""
    if not inputs:
        raise ValueError("gradcheck: there are no inputs; call it as gradcheck(function, x, ...)")
    leaves = [_float64_leaf(i, given) for i, given in enumerate(inputs)]
    saved = [(leaf.data, leaf.grad) for leaf in leaves]
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):  # the report says what is not finite
            yield leaves
    finally:
        for leaf, (data, grad) in zip(leaves, saved):
            leaf.data, leaf.grad = data, grad


def _float64_leaf(i: int, given: Any) -> Tensor:
    if isinstance(given, Tensor):
        if given.dtype != np.float64 or not given.requires_grad:
            raise ValueError(
                f"gradcheck: input {i} is a Tensor of dtype {given.dtype} with requires_grad={given.requires_grad}; "
                "pass its .data (a float64 copy is checked), or a float64 Tensor that requires a gradient"
            )
        return given
    array = np.asarray(given)
    if array.dtype.kind != "f":
        raise TypeError(
            f"gradcheck: input {i} has dtype {array.dtype}, which cannot be differentiated; "
            "pass floats, or keep it out of the inputs: gradcheck(lambda x: f(x, labels), x)"
        )
    return Tensor(np.array(array, dtype=np.float64), requires_grad=True)
