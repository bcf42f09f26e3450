"""Write an operation of your own and check its gradient: first with a mistake in it, then right. Takes a second.

The operation is swish(x) = x s(x) with the sigmoid s(x) = 1 / (1 + exp(-x)). By the product rule its derivative is
s + x s (1 - s); the mistake is to forget the second term.
"""

import numpy as np

from minidepth import Tensor
from minidepth.gradient_check import check_gradient


def swish(x: Tensor, mistake: bool = False) -> Tensor:
    """x / (1 + exp(-x)), element by element."""
    s = 1 / (1 + np.exp(-x.data))
    slope = s if mistake else s + x.data * s * (1 - s)

    def pullback(grad):
        return (grad * slope,)

    return Tensor.from_op("swish", x.data * s, (x,), pullback)


x = np.random.default_rng(0).standard_normal((3, 4))

print("With the mistake:")
print(check_gradient(lambda x: swish(x, mistake=True), x))
print("\nRight:")
print(check_gradient(swish, x))
