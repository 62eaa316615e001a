"""Restoration: a round trip, damage, foreign files, a full disk, and what is there already."""

import errno
import hashlib
import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from skinlens.errors import Cancelled, StoreError
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit, blobs, database
from skinlens.store.in_use import InUse
from skinlens.store.restore import Restored, restore
from tests.store import samples
from tests.store.backups import Usage, moving_the_database_fails, refused, rewritten, tree
from tests.store.edits import add_patient


def test_a_round_trip_brings_everything_back(stocked, made, tmp_path):
    done = restore(made, tmp_path / "new")
    assert done == Restored(tmp_path / "new", stocked.last_backup().made_at, 3, 9, None, ())
    new = CaseStore(tmp_path / "new")
    assert new.search().total == 3
    assert [new.case(number) for number in (1, 2, 3)] == [stocked.case(number) for number in (1, 2, 3)]
    assert np.array_equal(new.photo(1).pixels, samples.photo(0).pixels)
    assert len(new.load(1).explanations) == 3
    assert new.revisions(1) == stocked.revisions(1)
    assert new.settings().clinic_name == "Skin Clinic"
    assert new.lost_files() == ()
    assert new.tidy().problems == ()
    assert new.last_backup().path == str(made)
    beside = {"files", "reserve.bin", "audit-head.json", "last-backup.json"}
    assert {path.name for path in new.home.iterdir()} <= {"cases.db", "cases.db-wal", "cases.db-shm", *beside}
    with new._reading() as db:
        assert next(db.execute("PRAGMA journal_mode"))[0] == "wal"
        assert next(db.execute("PRAGMA application_id"))[0] == database.APPLICATION_ID


def test_where_there_are_cases_nothing_happens_without_the_word(made, tmp_path):
    other = CaseStore(tmp_path / "other")
    add_patient(other, "P-9")
    before = tree(other.home)
    with refused(f"There is a case file in {other.home} (0 cases, 1 patient), and nothing of it was changed."):
        restore(made, other.home)
    assert tree(other.home).keys() == before.keys()
    assert [one.pseudonym for one in other.patients()] == ["P-9"]


def test_what_was_there_is_set_aside_whole(made, tmp_path):
    other = CaseStore(tmp_path / "other")
    photo = samples.photo(77)
    other.save_case(
        samples.analysis(photo),
        NewVisit(NewPatient("P-9"), NewLesion("back"), "2024-01-01"),
    )
    (other.home / "mine.txt").write_text("not SkinLens's")
    done = restore(made, other.home, replace=True)
    assert other.search().total == 3
    assert (other.home / "mine.txt").read_text() == "not SkinLens's"
    old = CaseStore(done.aside)
    assert done.aside.parent == other.home
    assert done.aside.stat().st_mode & 0o077 == 0
    assert [one.pseudonym for one in old.patients()] == ["P-9"]
    assert np.array_equal(old.photo(1).pixels, photo.pixels)


def test_an_installation_without_cases_needs_no_word(made, tmp_path):
    fresh = CaseStore(tmp_path / "fresh")
    fresh.acknowledge_disclaimer()
    done = restore(made, fresh.home)
    assert fresh.search().total == 3
    assert CaseStore(done.aside).disclaimer_acknowledged_at()


def test_a_damaged_case_file_counts_as_one(made, tmp_path):
    home = tmp_path / "other"
    home.mkdir()
    (home / "cases.db").write_bytes(b"no database" * 500)
    with refused("(it cannot be opened)"):
        restore(made, home)
    assert restore(made, home, replace=True).aside is not None
    assert CaseStore(home).search().total == 3


def test_photos_without_a_database_count_as_well(made, tmp_path):
    home = tmp_path / "other"
    CaseStore(home).files.write(dict([blobs.picture_file(samples.photo().pixels)]))
    with refused("(1 photo or map)"):
        restore(made, home)


def test_a_move_that_fails_in_the_middle_is_taken_back(made, tmp_path, monkeypatch):
    other = CaseStore(tmp_path / "other")
    add_patient(other, "P-9")
    moving_the_database_fails(monkeypatch)
    with refused("Input/output error"):
        restore(made, other.home, replace=True)
    monkeypatch.undo()
    assert [one.pseudonym for one in other.patients()] == ["P-9"]
    assert not list(other.home.glob("before-restore-*"))
    assert not list(other.home.glob(".restore-*"))
    assert not (other.home / "files").exists()


class Killed(BaseException):
    """In the place of SIGKILL: nothing that handles errors sees it."""


@pytest.mark.parametrize("after", [1, 2, 3, 4])
def test_a_restore_that_is_killed_between_two_files_is_said_until_it_is_done_again(made, tmp_path, monkeypatch, after):
    """An empty case file in the place of the old one would look sound, and the next case would go into it."""
    other = CaseStore(tmp_path / "other")
    add_patient(other, "P-9")
    rename, moved = Path.rename, []

    def dies(self, target):
        if self.parent in {other.home, *other.home.glob(".restore-*")}:
            if len(moved) == after:
                raise Killed
            moved.append(self)
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", dies)
    with pytest.raises(Killed):
        restore(made, other.home, replace=True)
    monkeypatch.undo()
    (aside,) = other.home.glob("before-restore-*")
    for use in (lambda: CaseStore(other.home).patients(), lambda: CaseStore(other.home).acknowledge_disclaimer()):
        with refused(
            f"was interrupted while it exchanged the files. Nothing is lost: what was there before is in {aside}"
        ):
            use()
    restore(made, other.home, replace=True)
    assert "P-9" not in [one.pseudonym for one in CaseStore(other.home).patients()]
    assert not CaseStore(other.home).exchange.exists()


def foreign(tmp_path, made):
    """Name → (a file, a part of the sentence)."""
    cut = tmp_path / "cut.zip"
    cut.write_bytes(made.read_bytes()[:-200])
    text = tmp_path / "letter.zip"
    text.write_text("Dear colleague")
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as target:
        target.writestr("DCIM/1.jpg", b"")
    with zipfile.ZipFile(made) as found:
        file = next(name for name in found.namelist() if name.startswith("files/"))
        manifest = json.loads(found.read("backup.json"))
        data = found.read("cases.db")
    flipped = data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]
    other = {"cases.db": b"no database at all" * 100}
    fits = manifest | {"database_sha256": hashlib.sha256(other["cases.db"]).hexdigest()}
    cases = {
        "missing": (tmp_path / "none.zip", lambda: None, "There is no file"),
        "cut off": (cut, None, "is not whole: its end is missing."),
        "no zip": (text, None, "or no ZIP file at all"),
        "another zip": (tmp_path / "photos.zip", None, "is no backup of SkinLens: it holds DCIM/1.jpg."),
    }
    changed = {
        "no manifest": ({"backup.json": None}, "is not whole: its end is missing."),
        "a newer one": ({"backup.json": json.dumps(manifest | {"version": 3}).encode()}, "made by a newer SkinLens"),
        "short manifest": ({"backup.json": json.dumps({"format": "skinlens-backup", "version": 1}).encode()},
                           "its list of contents is not complete"),
        "another database": ({"cases.db": flipped}, "is damaged: cases.db is not what was backed up."),
        "another photo": ({file: b"\x89PNG"}, f"is damaged: {file} is not what was backed up."),
        "a photo less": ({file: None}, "is not whole: 9 photos and maps were expected, 8 found."),
        "a way out": ({"../../evil.sh": b"rm"}, "holds '../../evil.sh', which no backup of SkinLens has."),
        "no database in it": (other | {"backup.json": json.dumps(fits).encode()}, "cannot be used; nothing"),
    }  # fmt: skip
    return cases, changed


@pytest.mark.parametrize(
    "kind",
    ["missing", "cut off", "no zip", "another zip", "no manifest", "a newer one", "short manifest", "another database",
     "another photo", "a photo less", "a way out", "no database in it"],
)  # fmt: skip
def test_what_is_no_sound_backup_is_refused_and_nothing_is_touched(made, tmp_path, kind):
    cases, changed = foreign(tmp_path, made)
    if kind in cases:
        path, _, sentence = cases[kind]
    else:
        entries, sentence = changed[kind]
        path = rewritten(made, **entries)
    other = CaseStore(tmp_path / "other")
    add_patient(other, "P-9")
    with refused(sentence):
        restore(path, other.home, replace=True)
    assert [one.pseudonym for one in other.patients()] == ["P-9"]
    assert sorted(one.name for one in other.home.iterdir() if not one.name.startswith("cases.db")) == [
        "audit-head.json"
    ]
    assert not (tmp_path / "evil.sh").exists()


def test_a_full_disk_leaves_what_is_there(made, tmp_path, monkeypatch):
    other = CaseStore(tmp_path / "other")
    add_patient(other, "P-9")
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: Usage(10, 9, 1))
        with refused("MB are needed in"):
            restore(made, other.home, replace=True)
    opened = Path.open

    def full(self, mode="r", *rest, **more):
        if "w" in mode and ".restore-" in str(self):
            raise OSError(errno.ENOSPC, "No space left on device")
        return opened(self, mode, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with refused("the disk is full. Free some space and try again; no case was changed"):
            restore(made, other.home, replace=True)
    assert [one.pseudonym for one in other.patients()] == ["P-9"]
    assert not list(other.home.glob(".restore-*"))


def test_a_cancelled_restoration_leaves_what_is_there(made, tmp_path):
    def stop(_: float) -> None:
        raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        restore(made, tmp_path / "new", progress=stop)
    assert list((tmp_path / "new").iterdir()) == []


def test_nothing_is_restored_under_an_app_that_runs(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    first, second = InUse(home), InUse(home)  # two windows, or two processes
    with pytest.raises(StoreError, match=r"are in use: SkinLens is running.*Stop the app, then try again"):
        InUse(home, alone=True)
    first.let_go()
    second.let_go()
    alone = InUse(home, alone=True)
    with pytest.raises(StoreError, match="are in use"):
        InUse(home)
    alone.let_go()
    InUse(home).let_go()


def test_nobody_else_can_read_what_was_restored(made, tmp_path):
    home = tmp_path / "new"
    home.mkdir(mode=0o755)
    restore(made, home)
    assert [path for path in (home, *home.rglob("*")) if path.stat().st_mode & 0o077] == []
    home.chmod(0o755)
    restore(made, home, replace=True)  # what was set aside is SkinLens's own as well
    assert [path for path in (home, *home.iterdir()) if path.stat().st_mode & 0o077] == []


def lying(made, **lies):
    """The backup with another manifest."""
    with zipfile.ZipFile(made) as found:
        manifest = json.loads(found.read("backup.json"))
    return rewritten(made, **{"backup.json": json.dumps(manifest | lies).encode()})


@pytest.mark.parametrize(
    ("lies", "sentence"),
    [
        ({"cases": 9}, "its list of contents says 9 cases, and its database holds 3."),
        ({"files": 10}, "is not whole: 10 photos and maps were expected, 9 found."),
        ({"bytes": 10}, "holds more than it says (10 bytes)."),
        ({"database_sha256": "0" * 64}, "is damaged: cases.db is not what was backed up."),
        ({"missing": ["A photo is missing."]}, "0 photos or maps that its cases need are not in it, and it says 1."),
        ({"cases": -1}, "its list of contents is not complete."),
    ],
)
def test_a_backup_whose_list_of_contents_lies_is_refused(made, tmp_path, lies, sentence):
    other = CaseStore(tmp_path / "other")
    add_patient(other, "P-9")
    with refused(sentence):
        restore(lying(made, **lies), other.home, replace=True)
    assert [one.pseudonym for one in other.patients()] == ["P-9"]


def test_a_photo_that_was_taken_out_with_its_count_is_noticed(made, tmp_path):
    with zipfile.ZipFile(made) as found:
        manifest = json.loads(found.read("backup.json"))
        file = next(name for name in found.namelist() if name.startswith("files/"))
    less = json.dumps(manifest | {"files": manifest["files"] - 1}).encode()
    with refused("1 photo or map that its cases need is not in it, and it says 0."):
        restore(rewritten(made, **{"backup.json": less, file: None}), tmp_path / "new")
