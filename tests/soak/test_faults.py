"""A few faults of each step of the store; ``faults.py`` by itself makes them all."""

import random
from pathlib import Path

import pytest

from tests import faults as layer
from tests.soak import faults

SEED = 45
pytestmark = pytest.mark.slow
TURNS = 2
"""Of each step."""


def test_a_few_faults_lose_nothing_and_are_said(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    turns = list(faults.matrix(list(faults.STEPS), lambda found: chance.sample(found, TURNS), tmp_path))
    assert [one for one in turns if one.wrong] == []
    assert {one.step for one in turns} == set(faults.STEPS)
    assert sum(bool(one.said) for one in turns) > len(turns) // 2


def test_a_fault_that_is_not_in_a_sentence_would_be_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with faults.quickly():
        original = faults.stock(tmp_path / "original")
        step = faults.Step(lambda place: (place.home / "x").write_bytes(b""), lambda _: True)
        monkeypatch.setitem(faults.STEPS, "save", step)
        found = faults.turn("save", faults.Fault("disk full", 0, lasting=False), original, tmp_path / "turn")
    assert found.call == "open"
    assert found.wrong[0].startswith("OSError: [Errno 28]")


def test_every_call_of_the_disk_and_the_database_is_counted(tmp_path: Path) -> None:
    with faults.quickly():
        original = faults.stock(tmp_path / "original")
        calls = faults.calls_of("save", "disk full", original, tmp_path / "turn")
    assert set(layer.FILE_CALLS) - {"truncate", "unlink", "rename", "rmdir"} <= set(calls)
    assert "SQL BEGIN IMMEDIATE" in calls
    assert "SQL COMMIT" in calls
    assert sum(call.startswith("SQL INSERT INTO") for call in calls) >= 5
