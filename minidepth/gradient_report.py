"""What a gradient check reports: one line per input, with the worst relative error and in words what is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class GradientError(ArithmeticError):
    """A gradient does not agree with its function; the text is the report."""


@dataclass(frozen=True)
class InputCheck:
    """What was found for one input: the worst relative error of its gradient, and in words what is wrong with it."""

    name: str
    error: float
    problem: str = ""


@dataclass(frozen=True)
class GradientReport:
    """The result of a check. `kind` is "finite difference" or "adjoint"; printing it shows one line per input."""

    kind: str
    tolerance: float
    inputs: tuple[InputCheck, ...]

    @property
    def worst_error(self) -> float:
        """The worst relative error over all inputs; infinite where there was nothing to compare."""
        return max(check.error for check in self.inputs)

    @property
    def ok(self) -> bool:
        """Whether every gradient agrees to within the tolerance."""
        return self.worst_error <= self.tolerance

    def __str__(self) -> str:
        width = max(len(check.name) for check in self.inputs)
        lines = [f"{self.kind}: {'ok' if self.ok else 'FAIL'} (tolerance {self.tolerance:.0e})"]
        for check in self.inputs:
            lines.append(f"  {check.name:{width}}  relative error {check.error:.1e}  {check.problem or 'ok'}")
        return "\n".join(lines)


def diagnosis(pairs: list[tuple[float, float]]) -> str:
    """What several (by forward passes, by backward) pairs that disagree have in common, in words."""
    forward, backward = np.array(pairs).T
    if not np.isfinite(forward).all():
        return "the result is not finite a step away from the input; move the input into the function's domain"
    if not backward.any():
        return "the gradient is zero, but the result depends on this input"
    if not forward.any():
        return "the gradient should be zero: the result does not depend on this input"
    ratios = backward / forward
    if len(pairs) > 1 and np.ptp(ratios) < 1e-3 * np.abs(ratios - 1).min():
        return f"the gradient is {np.median(ratios):.6g} times what it should be"
    return "the gradient is wrong"
