"""How near two computations of the same float32 numbers must be: by the size of what was added up, not of each result.

A sum of n numbers in another order is off by up to n · 2⁻²⁴ of the sum of their sizes, and typically by √n · 2⁻²⁴.
The order differs with the engine (torch, ONNX Runtime, numpy), the instruction set (AVX2 adds 8 at a time, AVX-512 16),
the number of threads and the photos in a batch. Where positive and negative summands cancel, the result is small and
the error is not; so an absolute tolerance that fits numbers around 0.1 fails at 4.9, and one relative to each number
fails near 0. Both are avoided by a share of the largest number.

What is computed twice in one and the same way (same file, threads, batch and machine) is compared bit for bit: that a
map can be made again is a promise.
"""

import numpy as np
from numpy.typing import ArrayLike

ONE_LAYER = 1e-5
"""Of the largest number, after one sum or product: some √(10⁴) · 2⁻²⁴ = 6e-6, as over the places of a map."""
NETWORK = 1e-4
"""After some fifty layers, each with the errors of those before it. A wrong layer is off by hundredths and more."""
PROBABILITY = 1e-5
"""Absolute: a probability moves by at most a quarter of what its logit moves, and logits are some tens at most."""


def assert_near(found: ArrayLike, expected: ArrayLike, share: float) -> None:
    """Equal but for ``share`` of the largest absolute value that is expected."""
    largest = float(np.abs(np.asarray(expected)).max())
    np.testing.assert_allclose(found, expected, rtol=0, atol=share * largest)
