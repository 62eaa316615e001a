"""Photos that other programs sent: each waits once, comes back as it was, and waits no more when it is a case."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skinlens.errors import NotAllowed, StoreError
from skinlens.store import CaseStore, NewLesion, NewVisit, arrivals
from tests.store import samples

SENT = replace(samples.photo(1, notes=("The first frame was read.",)), field_width_mm=12.5)


@pytest.fixture
def sender(tmp_path: Path) -> CaseStore:
    return CaseStore(tmp_path / "home", actor="screen (API)", role="reader")


def test_a_photo_waits_once_and_comes_back_as_it_was_sent(sender: CaseStore) -> None:
    assert sender.arrivals() == ()
    assert [sender.take_in(SENT), sender.take_in(SENT)] == [True, False]
    (one,) = sender.arrivals()
    assert (one.photo_sha256, one.sent_by, one.notes) == (SENT.sha256, "screen (API)", SENT.notes)
    back = sender.arrived_photo(SENT.sha256)
    assert np.array_equal(back.pixels, SENT.pixels)
    assert {**vars(back), "pixels": None} == {**vars(SENT), "pixels": None}
    assert not back.pixels.flags.writeable
    entries = [(one.actor, one.action) for one in CaseStore(sender.home).audit_entries() if one.kind == "arrival"]
    assert entries == [("screen (API)", "arrived")]
    if os.name == "posix":
        assert sender.home.joinpath("arrivals").stat().st_mode & 0o077 == 0


def test_what_became_a_case_waits_no_more(sender: CaseStore) -> None:
    sender.take_in(SENT)
    sender.save_case(
        samples.analysis(sender.arrived_photo(SENT.sha256)), NewVisit(None, NewLesion("back"), "2024-05-31")
    )
    assert sender.arrivals() == ()
    with pytest.raises(StoreError, match="does not wait any more"):
        sender.arrived_photo(SENT.sha256)


def test_what_nobody_files_is_deleted_for_good(sender: CaseStore) -> None:
    sender.take_in(SENT)
    sender.delete_arrival(SENT.sha256)
    sender.delete_arrival(SENT.sha256)  # again, from another window
    assert list((sender.home / "arrivals").iterdir()) == []
    done = [one.action for one in CaseStore(sender.home).audit_entries() if one.kind == "arrival"]
    assert done == ["arrived", "erased"]


def test_a_damaged_file_is_said_and_the_others_are_listed(sender: CaseStore) -> None:
    sender.take_in(SENT)
    other = samples.photo(2)
    sender.take_in(other)
    path = sender.home / "arrivals" / f"{SENT.sha256}.png"
    whole = path.read_bytes()
    path.write_bytes(whole[:200])
    assert other.sha256 in [one.photo_sha256 for one in sender.arrivals()]
    with pytest.raises(StoreError, match="not what was sent"):
        sender.arrived_photo(SENT.sha256)
    path.write_bytes((sender.home / "arrivals" / f"{other.sha256}.png").read_bytes())  # another photo under its name
    with pytest.raises(StoreError, match="not what was sent"):
        sender.arrived_photo(SENT.sha256)
    sender.delete_arrival(SENT.sha256)
    assert [one.photo_sha256 for one in sender.arrivals()] == [other.sha256]


def test_no_name_leads_out_of_the_folder(sender: CaseStore, tmp_path: Path) -> None:
    sender.take_in(SENT)
    Image.new("RGB", (40, 40)).save(tmp_path / "outside.png")
    for name in ("../../outside", "../cases.db", "", "A" * 64):
        with pytest.raises(StoreError, match="no such photo"):
            sender.arrived_photo(name)
        with pytest.raises(StoreError, match="no such photo"):
            sender.delete_arrival(name)
    (sender.home / "arrivals" / ("a" * 64 + ".png")).symlink_to(tmp_path / "outside.png")
    assert [one.photo_sha256 for one in sender.arrivals()] == [SENT.sha256]


def test_no_more_wait_than_may(sender: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "MOST", 1)
    sender.take_in(SENT)
    with pytest.raises(StoreError, match="1 photos wait in the worklist"):
        sender.take_in(samples.photo(2))
    assert not sender.take_in(SENT)  # it waits already, and is no further one


def test_a_viewer_neither_sends_nor_sees_them(sender: CaseStore) -> None:
    sender.take_in(SENT)
    viewer = CaseStore(sender.home, role="viewer")
    for asked in (viewer.arrivals, lambda: viewer.take_in(SENT), lambda: viewer.arrived_photo(SENT.sha256)):
        with pytest.raises(NotAllowed):
            asked()
