"""Where a training step spends its time, layer by layer, against what this machine can do at all.

    python benchmarks/ops.py    # about 3 minutes on 2 cores

Convolutions are timed inside real training steps of the two U-Nets. Their speed is counted in the multiply-adds of the
direct algorithm, two operations each, whatever the kernel does; the yardstick is NumPy's own matrix product of large
squares on all cores. A kernel that saves multiplications can so pass 100 %.

The other kernels only move numbers. They are timed one by one on the largest arrays of each network, and counted in the
bytes that have to move: what goes in and what comes out, once. The yardstick is a copy on all cores; a backward that
hands out views of its gradient, as that of cat, moves nothing and beats any copy.

Both yardsticks are measured again in each round, and a percentage compares times of one round. A cell has the medians.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from compete import arguments
from layers import COLUMNS, time_layers
from measure import Case, median_ms
from results import machine, number, table, write_between_markers
from step import CASES, QUICK
from unet_minidepth import training

from minidepth import Tensor, ops, optim
from minidepth.nn import Parameter
from minidepth.ops.cpu.threads import run_slices

ADAM_WEIGHTS = 1 << 22


class Speed(NamedTuple):
    """One measurement: its time, its speed, and the share of the yardstick's speed in the same round."""

    ms: float
    speed: float
    share: float


Speeds = dict[Any, list[Speed]]


def main() -> None:
    options = arguments("Time each layer against the machine's own matrix product and copy.", rounds=5).parse_args()
    cases, rounds = (QUICK, 2) if options.quick else (CASES, options.rounds)
    steps = {case: training(case)[1] for case in cases}
    convolutions: dict[Case, Speeds] = {case: defaultdict(list) for case in cases}
    moves: dict[Case, Speeds] = {case: defaultdict(list) for case in cases}
    yardsticks = []
    for step in steps.values():
        step()  # warms up
    for _ in range(rounds):
        matrix_gflops, copy_gb_s = matrix_speed_gflops(512 if options.quick else 2048), copy_speed_gb_s()
        yardsticks.append((matrix_gflops, copy_gb_s))
        for case, step in steps.items():
            time_convolutions(step, convolutions[case], matrix_gflops)
            time_moves(case, moves[case], copy_gb_s)
    peak, copy = (number(statistics.median(values)) for values in zip(*yardsticks))
    text = machine("numpy") + f"Yardsticks: matrix product {peak} GFLOP/s, copy {copy} GB/s (read and written).\n\n"
    for case in cases:
        text += f"### {case.title()}, {rounds} rounds\n\n"
        text += convolution_table(convolutions[case], rounds) + move_table(moves[case])
    print(text)
    if not (options.no_write or options.quick):
        write_between_markers("ops", text)


def matrix_speed_gflops(largest: int) -> float:
    """The best of three sizes of matrix product, with all of BLAS's threads."""
    speeds = []
    for size in (largest // 2, largest * 3 // 4, largest):
        a, b, product = (np.ones((size, size), np.float32) for _ in range(3))
        multiply = functools.partial(np.matmul, a, b, out=product)
        speeds.append(2 * size**3 / median_ms(multiply, 3) / 1e6)
    return max(speeds)


def copy_speed_gb_s() -> float:
    source, target = np.ones(1 << 24, np.float32), np.ones(1 << 24, np.float32)

    def copy() -> None:
        run_slices(lambda part: np.copyto(target[part], source[part]), source.size, step=1 << 17)

    return 2 * source.nbytes / median_ms(copy, 3) / 1e6


def time_convolutions(step: Callable[[], object], speeds: Speeds, matrix_gflops: float) -> None:
    """Add to `speeds` what each layer took in one training step."""
    for (layer, column), calls_ms in time_layers(step).items():
        operations = 2 * layer.multiply_adds() * (2 if column == "both gradients" else 1)
        for ms in calls_ms:
            speeds[layer, column].append(Speed(ms, operations / ms / 1e6, operations / ms / 1e6 / matrix_gflops))


def convolution_table(speeds: Speeds, rounds: int) -> str:
    lines, totals = [], dict.fromkeys(COLUMNS.values(), 0.0)
    for layer in dict.fromkeys(layer for layer, _ in speeds):
        measured = {column: speeds.get((layer, column), []) for column in totals}
        times = max(map(len, measured.values())) // rounds
        for column, values in measured.items():
            totals[column] += times * statistics.median([value.ms for value in values] or [0.0])
        lines.append([layer.title(), str(times), layer.path(), *map(cell, measured.values())])
    lines.append(["all, ms", "", "", *map(number, totals.values())])
    return table(["ms, GFLOP/s, share of a matrix product", "times", "path", *totals], lines)


def cell(values: list[Speed]) -> str:
    if not values:
        return ""
    ms, speed, share = (statistics.median(part) for part in zip(*values))
    return f"{number(ms)}, {number(speed)}, {share:.0%}"


def time_moves(case: Case, speeds: Speeds, copy_gb_s: float) -> None:
    """Add to `speeds` the time of each operation and of its pullback, and of Adam."""

    def add(name: str, column: str, taken_ms: list[float], n_bytes: int) -> None:
        ms = statistics.median(taken_ms)
        speeds[name, column].append(Speed(ms, n_bytes / ms / 1e6, n_bytes / ms / 1e6 / copy_gb_s))

    for name, (operation, inputs, extra) in operations(case).items():
        forward_ms, backward_ms = [], []
        for _ in range(4):
            start = time.perf_counter()
            y = operation(*inputs)
            forward_ms.append(1000 * (time.perf_counter() - start))
            grad = np.ones_like(y.data)
            start = time.perf_counter()
            y._node.pullback(grad)
            backward_ms.append(1000 * (time.perf_counter() - start))
        moved = y.data.nbytes + sum(x.data.nbytes for x in inputs)
        add(name, "forward", forward_ms[1:], moved)
        add(name, "backward", backward_ms[1:], moved + extra * y.data.nbytes)
    weight = Parameter(np.ones(ADAM_WEIGHTS, np.float32))
    weight.grad = np.ones_like(weight.data)
    adam = optim.Adam([weight])
    add(f"Adam, {ADAM_WEIGHTS:,} weights", "forward", [median_ms(adam.step, 3)], 7 * weight.data.nbytes)


def operations(case: Case) -> dict[str, tuple[Callable[..., Tensor], list[Tensor], int]]:
    """Name -> (operation, inputs, how many arrays beside dL/dy its backward cannot do without)."""
    full = (case.batch, case.base, case.height, case.width)
    half = (case.batch, case.base, case.height // 2, case.width // 2)
    mean, var = np.zeros(case.base, np.float32), np.ones(case.base, np.float32)
    scale, shift = Tensor(var.copy(), requires_grad=True), Tensor(mean.copy(), requires_grad=True)

    def batch_norm(x: Tensor) -> Tensor:
        return ops.batch_norm(x, mean, var, scale, shift, training=True)

    def batch_norm_leaky_relu(x: Tensor) -> Tensor:
        return ops.batch_norm_leaky_relu(x, mean, var, scale, shift, training=True)

    def up(x: Tensor) -> Tensor:
        return ops.interpolate(x, scale_factor=2, mode="bilinear")

    return {
        "batch_norm": (batch_norm, [random(full)], 1),
        "batch_norm_leaky_relu": (batch_norm_leaky_relu, [random(full)], 1),
        "leaky_relu": (ops.leaky_relu, [random(full)], 1),
        "max_pool2d": (lambda x: ops.max_pool2d(x, 2), [random(full)], 0),
        "cat": (lambda *xs: ops.cat(xs, dim=1), [random(full), random(full)], 0),
        "interpolate (bilinear, times 2)": (up, [random(half)], 0),
    }


def random(shape: tuple[int, ...]) -> Tensor:
    values = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    return Tensor(values, requires_grad=True)


def move_table(speeds: Speeds) -> str:
    names = list(dict.fromkeys(name for name, _ in speeds))
    lines = [[name, cell(speeds[name, "forward"]), cell(speeds[name, "backward"])] for name in names]
    return table(["ms, GB/s, share of a copy", "forward", "backward"], lines)


if __name__ == "__main__":
    main()
