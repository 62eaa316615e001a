"""Colors of charts, told apart with any common color vision, and the error bar of an interval.

Colors never stand alone: lines are also dashed, markers and bars also differ in shape or pattern.
"""

from collections.abc import Mapping, Sequence
from typing import Any

BLUE, ORANGE, YELLOW, GRAY = "#4289b8", "#c9552b", "#d9991e", "#7f8d92"
"""Each is seen on light and on dark."""


def error_bar(estimates: Sequence[Mapping[str, float | None]], color: str = GRAY) -> dict[str, Any]:
    """Plotly's error bar from each ``value`` to its ``low`` and ``high``; nothing where there is none."""

    def between(low: float | None, high: float | None) -> float:
        return 0.0 if low is None or high is None else high - low

    return {
        "type": "data",
        "symmetric": False,
        "array": [between(entry["value"], entry["high"]) for entry in estimates],
        "arrayminus": [between(entry["low"], entry["value"]) for entry in estimates],
        "thickness": 1.5,
        "color": color,
    }
