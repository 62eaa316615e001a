"""Acceptance gates for the approximate Score-CAM and LIME; reads ``benchmarks/results/explain_gates.json``.

Each approximation must be at least as close to its own limit as the stock library is to its limit;
``benchmarks/explain_gates.py`` measures it.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skinlens import paths

RESULTS = paths.BENCHMARK_RESULTS / "explain_gates.json"
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
    comparisons = []
    for method in ("score_cam", "lime"):
        figures = measured[method]
        comparisons += [
            Gate(
                f"{method}: like its converged map, median photo", figures["spearman_median"], figures["stock_median"]
            ),
            Gate(f"{method}: like its converged map, worst photo", figures["spearman_worst"], figures["stock_worst"]),
        ]
    seeds = measured["lime"]["seed_spearman_median"]
    return [*comparisons, Gate("lime: like another seed's map, median photo", seeds, MIN_SEED_CORRELATION)]


def gates_summary(path: Path = RESULTS) -> str:
    """One line each for the terminal, or that they are not measured yet."""
    if not path.is_file():
        return f"gates of the approximations: not measured, {path.name} is missing. Run: make bench"
    measured = json.loads(path.read_text(encoding="utf-8"))
    release = measured["model"]["version"]
    lines = [f"gates of the approximations, measured on release {release} (rank correlation, found / at least):"]
    for gate in gates(measured):
        sign = "passed" if gate.passed else "FAILED"
        lines.append(f"  {sign}  {gate.what:<52} {gate.value:.3f} / {gate.least:.3f}")
    return "\n".join(lines)
