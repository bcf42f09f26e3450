"""Make golden.npz: what PyTorch computes for random settings of every operation, so that tests need no PyTorch.

    python tests/golden/make_golden.py        (with torch installed; writes tests/golden/golden.npz)

The file holds `numbers`, all arrays one after the other in float64, and three texts: `cases`, a JSON list with op,
options and the shapes of the arrays of each case (inputs, value, cotangent dL/dy, and dL/d(input) for each input);
`torch`, the version that computed them; and `script`, this program.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch_oracle  # noqa: E402
from op_settings import DRAW  # noqa: E402

CASES_PER_OP = {
    "conv2d": 12,
    "conv_transpose2d": 10,
    "interpolate": 12,
    "max_pool2d": 8,
    "avg_pool2d": 8,
    "batch_norm": 8,
    "batch_norm_leaky_relu": 8,
}
FEW = 4
LARGEST = 600
"""Settings with a larger array than this are drawn anew: the file is to stay small."""


def main() -> None:
    rng = np.random.default_rng(20)
    numbers: list[np.ndarray] = []
    cases = []
    for op, draw in DRAW.items():
        for _ in range(CASES_PER_OP.get(op, FEW)):
            inputs, options = draw(rng)
            while max(array.size for array in inputs) > LARGEST:
                inputs, options = draw(rng)
            value, cotangent, grads = torch_oracle.value_and_gradients(op, inputs, options, rng)
            arrays = [*inputs, value, cotangent, *grads]
            cases.append({"op": op, "options": options, "shapes": [array.shape for array in arrays]})
            numbers += [array.ravel() for array in arrays]
    path = Path(__file__).with_name("golden.npz")
    np.savez_compressed(
        path,
        numbers=np.concatenate(numbers),
        cases=json.dumps(cases),
        torch=torch.__version__,
        script=Path(__file__).read_text(),
    )
    print(f"{path.name}: {len(cases)} cases, {path.stat().st_size / 1000:.0f} kB, torch {torch.__version__}")


if __name__ == "__main__":
    main()
