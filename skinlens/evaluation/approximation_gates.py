"""Acceptance gates for the approximate Score-CAM and LIME; reads ``benchmarks/results/explain_gates.json``.

LIME must be at least as close to its own limit as the stock library is to its limit. The stock Score-CAM is its own
limit, as it tries all channels; ours, which stops when its map is steady, has fixed bars.
``benchmarks/explain_gates.py`` measures both.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skinlens import paths

RESULTS = paths.BENCHMARK_RESULTS / "explain_gates.json"
MIN_SCORE_CAM_MEDIAN, MIN_SCORE_CAM_WORST = 0.995, 0.98
"""Rank correlation with the map over all channels, of the median photo and the worst."""
MIN_SEED_CORRELATION = 0.9
"""Rank correlation of two LIME maps of one photo with different seeds, median over the photos."""


@dataclass(frozen=True)
class Gate:
    what: str
    value: float
    least: float

    @property
    def passed(self) -> bool:
        return self.value >= self.least


def gates(measured: dict[str, Any]) -> list[Gate]:
    """Five comparisons: our value must reach the stock library's, or a fixed least value."""
    lime = measured["lime"]
    bars = {
        "score_cam": (MIN_SCORE_CAM_MEDIAN, MIN_SCORE_CAM_WORST),
        "lime": (lime["stock_median"], lime["stock_worst"]),
    }
    comparisons = [
        Gate(f"{method}: like its converged map, {which} photo", measured[method][f"spearman_{which}"], bar)
        for method, both in bars.items()
        for which, bar in zip(("median", "worst"), both, strict=True)
    ]
    seeds = lime["seed_spearman_median"]
    return [*comparisons, Gate("lime: like another seed's map, median photo", seeds, MIN_SEED_CORRELATION)]


def gates_summary(path: Path = RESULTS) -> str:
    """One line each for the terminal, or that they are not measured yet."""
    if not path.is_file():
        return f"gates of the approximations: not measured, {path.name} is missing. Run: make bench"
    measured = json.loads(path.read_text(encoding="utf-8"))
    releases = ", ".join(f"{method} on release {measured[method]['release']}" for method in ("score_cam", "lime"))
    lines = [f"gates of the approximations, {releases} (rank correlation, measured / at least):"]
    for gate in gates(measured):
        sign = "passed" if gate.passed else "FAILED"
        lines.append(f"  {sign}  {gate.what:<52} {gate.value:.3f} / {gate.least:.3f}")
    return "\n".join(lines)
