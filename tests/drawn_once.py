"""The drawn lesion, drawn once in a process: it takes a third of a second, and most tests ask for the same few."""

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

KEPT = 64
"""Drawings, of about a megabyte each."""


def drawn_once(draw: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The same, with a copy of what was drawn before for the same arguments; ``__wrapped__`` draws anew."""
    kept = functools.lru_cache(maxsize=KEPT)(draw)

    @functools.wraps(draw)
    def copied(*given: Any, **named: Any) -> np.ndarray:
        return kept(*given, **named).copy()

    return copied
