"""A few turns of the soak; ``kill.py`` by itself makes a thousand."""

import random
import sys
from pathlib import Path

import pytest

from tests.soak import kill

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL"),
]
KILLS = 5


def test_a_few_kills_lose_nothing(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seeds {seed} to {seed + KILLS - 1}")
    figures = kill.soak(KILLS, seed, tmp_path)
    assert (figures["kills"], figures["failures"]) == (KILLS, 0)


def test_a_lost_save_would_be_found(tmp_path: Path) -> None:
    told: list[dict[str, object]] = []
    kill.stock(tmp_path / "home")
    seed = 0
    while not any(line["step"] == "saved" for line in told):
        told, _ = kill.killed(tmp_path / "home", seed)
        seed += 1
    saved = next(line for line in told if line["step"] == "saved")
    acknowledged, notes = {saved["id"]: saved["photo"], 10**6: 1}, {saved["id"]: f"note {saved['photo']}", 10**6: ""}
    erasing = {line["id"] for line in told if line["step"] == "erase begun"}
    wrong = kill.check(tmp_path / "home", acknowledged, notes, erasing)  # type: ignore[arg-type]
    assert wrong == [f"case {10**6} was acknowledged and is gone"]
