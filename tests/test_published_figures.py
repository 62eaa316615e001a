"""Published evaluations: whatever version wrote them, they are read under the present keys, and the files stay."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from skinlens import published_figures

WEIGHTS = Path(__file__).parents[1] / "weights"


def keys(part: Any) -> Iterator[str]:
    for value in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from keys(value)
    yield from part if isinstance(part, dict) else ()


@pytest.mark.parametrize("path", sorted(WEIGHTS.glob("e*-*.json")), ids=lambda path: path.stem)
def test_a_shipped_evaluation_has_the_present_keys(path: Path) -> None:
    measured = published_figures.read(path)
    assert set(published_figures.OLD_KEYS).isdisjoint(keys(measured))
    assert len(list(keys(measured))) == len(list(keys(json.loads(path.read_text(encoding="utf-8")))))


def test_a_figure_is_the_one_that_was_written_under_the_earlier_key(tmp_path: Path) -> None:
    row = {"cut_off": 0.25, "sensitivity": 0.75, "specificity": 0.5}
    written = {"foreign": {"own_refused": {"value": 0.02}}, "thresholds": {"melanoma": {"rows": [row]}}}
    path = tmp_path / "evaluation-test.json"
    path.write_text(json.dumps(written), encoding="utf-8")
    measured = published_figures.read(path)
    assert measured["ood"]["in_distribution_rejection"] == {"value": 0.02}
    assert published_figures.at_cutoff(measured, 0.25)["sensitivity"] == 0.75
