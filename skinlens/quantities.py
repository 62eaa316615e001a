"""Figures as a reader sees them: how long something took, and a number, the same on the screen and in print."""

import math


def duration(duration_ms: float) -> str:
    """Milliseconds below a second, tenths of a second from there on."""
    return f"{duration_ms:.0f} ms" if duration_ms < 1000 else f"{duration_ms / 1000:.1f} s"


def number(value: float) -> str:
    """As many digits as a reader needs: whole from 100 up, three significant ones below."""
    if not math.isfinite(value):
        return "not measurable"
    return f"{value:.0f}" if abs(value) >= 100 or value == round(value) else f"{value:.3g}"
