"""All rows together, and the command that checks them and prints the table."""

from __future__ import annotations

import builtins
import difflib
import math
from collections.abc import Callable, Sequence

from minidepth.errors import InputError
from minidepth.gradient_report import GradientReport, InputCheck
from minidepth.gradient_table.elementwise import rows as elementwise_rows
from minidepth.gradient_table.losses import rows as loss_rows
from minidepth.gradient_table.networks import rows as network_rows
from minidepth.gradient_table.pictures import rows as picture_rows
from minidepth.gradient_table.row import Row


def rows() -> list[Row]:
    """Every row of the table."""
    return [*elementwise_rows(), *picture_rows(), *loss_rows(), *network_rows()]


def run(ops: Sequence[str] = (), print: Callable[[str], None] = builtins.print) -> int:
    """Check the rows of `ops`, or all, and print one line for each. 0 if every gradient is right, 1 if one is not.

    Raises:
        InputError: an operation has no row; lists those that have.
    """
    chosen = _choose(ops, rows())
    op_width = max(len(row.op) for row in chosen)
    setting_width = max(len(row.setting) for row in chosen)
    print(f"{'op':{op_width}}  {'setting':{setting_width}}  {'kind':17}  {'error':>7}  verdict")
    failed = 0
    for row in chosen:
        report = _checked(row)
        failed += not report.ok
        print(
            f"{row.op:{op_width}}  {row.setting:{setting_width}}  {row.kind:17}  {report.worst_error:7.1e}  "
            f"{'ok' if report.ok else 'FAIL'}"
        )
        for check in report.inputs:
            if not check.error <= report.tolerance:
                print(f"    {check.name}: error {check.error:.1e}, {check.problem}")
    print(
        f"{len(chosen)} checks, {failed or 'none'} failed. error: the worst relative error of a gradient; "
        "up to 1e-6 is ok by finite difference, 1e-12 by the adjoint identity."
    )
    return 1 if failed else 0


def _checked(row: Row) -> GradientReport:
    """The report of a row; an operation that raises fails its own row and lets the others be checked."""
    try:
        return row.check()
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return GradientReport(row.kind, 0.0, (InputCheck("raised", math.inf, text),))


def _choose(ops: Sequence[str], known: list[Row]) -> list[Row]:
    """The rows of `ops`; a family such as ``gradient`` stands for all its forms (``gradient:hu``) too."""
    names = list(dict.fromkeys(row.op for row in known))
    for op in ops:
        if op not in names:
            close = difflib.get_close_matches(op.lower(), names, n=1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise InputError(f"gradcheck: no op is called {op!r}{hint} (known: {', '.join(names)})")
    return [row for row in known if not ops or row.op in ops or row.op.split(":")[0] in ops]
