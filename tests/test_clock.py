"""Stored in UTC, shown by the clinic's own clock."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from skinlens.clock import local_day, local_minute, today
from tests.report import samples

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(params=["Europe/Berlin", "America/St_Johns", "Asia/Tokyo", "UTC"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


LATE = {
    "Europe/Berlin": ("2025-06-04", "2025-06-04 00:30"),
    "America/St_Johns": ("2025-06-03", "2025-06-03 20:00"),
    "Asia/Tokyo": ("2025-06-04", "2025-06-04 07:30"),
    "UTC": ("2025-06-03", "2025-06-03 22:30"),
}


def test_an_evening_in_utc_is_the_clinics_own_day(zone: str) -> None:
    for at in ("2025-06-03T22:30:01Z", "2025-06-03T22:30:01.123+00:00"):
        assert (local_day(at), local_minute(at)) == LATE[zone]
    assert (local_day("2025-06-03"), local_minute("2025-06-03")) == ("2025-06-03", "2025-06-03")
    assert today() == datetime.now(UTC).astimezone().date()


def test_the_report_is_dated_by_the_clinic(zone: str) -> None:
    photo = samples.photo()
    report = samples.composed(samples.case(photo, updated_at="2025-06-03T22:30:01Z"), photo, [])
    assert report.provenance.startswith(f"Case last changed {LATE[zone][1]}, local time · ")
    assert report.dated == "2025-06-03T22:30:01Z"


def test_no_stored_time_is_cut_to_a_date_where_it_is_shown() -> None:
    """The first ten letters of a time in UTC are the day in Greenwich."""
    cut = re.compile(r"(_at|\.at|moment|agreed)\"?\]?\)?\[:1[06]\]")
    shown = [
        *(ROOT / "skinlens/ui").rglob("*.py"),
        *(ROOT / "skinlens/report").glob("*.py"),
        *(ROOT / "pages").glob("*"),
        ROOT / "skinlens/store/restore.py",
    ]
    shown += [ROOT / "skinlens/pipeline.py", *(ROOT / "skinlens/cli").glob("*.py")]
    assert cut.search("outline.created_at[:10]")
    assert cut.search('str(release["created_at"])[:10]')
    assert not [path.name for path in shown if cut.search(path.read_text(encoding="utf-8"))]
