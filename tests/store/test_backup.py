"""Backup and restoration: a round trip, damage, foreign files, a full disk, and what is there already."""

import errno
import hashlib
import json
import re
import shutil
import zipfile
from collections import namedtuple
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pytest

from skinlens.errors import Cancelled, InvalidEntry, StoreError
from skinlens.labels import DISCLAIMER
from skinlens.settings import Settings
from skinlens.store import CaseStore, NewPatient, archive, backup, database, files
from skinlens.store.in_use import InUse
from skinlens.store.restore import Restored, restore
from tests.store import samples

Usage = namedtuple("Usage", "total used free")


def refused(sentence: str) -> AbstractContextManager[object]:
    return pytest.raises(StoreError, match=re.escape(sentence))


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "stick"


@pytest.fixture
def stocked(store, save) -> CaseStore:
    """Three cases of two patients, one with maps, and settings."""
    save(0, maps=True, notes="the first")
    save(1)
    save(2, patient=NewPatient("P-0002", 1950, "male"))
    store.keep_settings(Settings(clinic_name="Skin Clinic"), read=Settings())
    return store


@pytest.fixture
def made(stocked, folder) -> Path:
    return Path(stocked.back_up(folder).path)


def rewritten(path: Path, **entries: bytes | None) -> Path:
    """The ZIP with other content of these entries; None: without it."""
    other = path.with_name("other.zip")
    with zipfile.ZipFile(path) as found, zipfile.ZipFile(other, "w") as target:
        for name in found.namelist():
            content = entries.get(name, found.read(name))
            if content is not None:
                target.writestr(name, content)
        for name in entries.keys() - set(found.namelist()):
            target.writestr(name, entries[name])
    return other


# ------------------------------------------------------------------------------------------------------------ backup


def test_a_backup_has_everything_and_says_so(stocked, folder):
    said: list[float] = []
    found = stocked.back_up(folder, progress=said.append)
    path = Path(found.path)
    assert path.parent == folder
    assert re.fullmatch(r"skinlens-backup-\d{4}-\d\d-\d\d-\d{6}\.zip", path.name)
    assert (found.cases, found.files, found.missing) == (3, 9, ())
    assert found.size_bytes == path.stat().st_size
    assert path.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(path) as inside:
        assert DISCLAIMER in inside.read("README.txt").decode()
        manifest = json.loads(inside.read("backup.json"))
        assert manifest["disclaimer"] == DISCLAIMER
        assert manifest["database_sha256"] == hashlib.sha256(inside.read("cases.db")).hexdigest()
        named = {name.split("/")[-1] for name in inside.namelist() if name.startswith("files/")}
    assert named == stocked.files.present().keys()
    assert said == sorted(said)
    assert said[-1] == 1.0
    assert [one.name for one in folder.iterdir()] == [path.name]  # nothing half is left
    assert list(stocked.home.glob(".backup*")) == []


def test_the_last_backup_is_remembered(stocked, folder):
    assert stocked.last_backup() is None
    found = stocked.back_up(folder)
    assert stocked.last_backup() == found
    again = stocked.back_up(folder)
    assert again.path != found.path
    assert stocked.last_backup() == again


def test_an_empty_case_file_is_backed_up_too(store, folder):
    assert (store.back_up(folder).cases, store.last_backup().files) == (0, 0)


def test_a_lost_photo_is_named_and_the_rest_is_backed_up(stocked, folder, tmp_path):
    name = next(iter(stocked.files.present()))
    stocked.files.path(name).unlink()
    other = next(iter(stocked.files.present()))
    stocked.files.path(other).write_bytes(b"not what it was")
    found = stocked.back_up(folder)
    assert found.files == 7
    assert len(found.missing) == 2
    assert any("is missing" in words for words in found.missing)
    assert any("was altered or is damaged" in words for words in found.missing)
    assert restore(Path(found.path), tmp_path / "new").missing == found.missing


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        (" ", "No folder was given."),
        ("backups", "“backups” is not a whole path."),
        ("{home}/backups", "lies in the case folder itself, and would be lost with it."),
        ("{tmp}/nothing/backups", "There is no folder {tmp}/nothing. Connect the disk"),
        ("{tmp}/file", "{tmp}/file is a file, not a folder."),
    ],
)
def test_a_folder_that_cannot_be_meant_is_refused(stocked, tmp_path, typed, sentence):
    (tmp_path / "file").write_bytes(b"")
    places = {"home": stocked.home, "tmp": tmp_path}
    with pytest.raises(InvalidEntry, match=re.escape(sentence.format(**places))):
        backup.backup_folder(typed.format(**places), stocked.home)


def test_too_little_room_is_said_before_anything_is_written(stocked, folder, monkeypatch):
    monkeypatch.setattr(backup.shutil, "disk_usage", lambda _: Usage(10, 9, 1))
    with refused("and 0 MB are free. Free some space, or choose another folder."):
        stocked.back_up(folder)
    assert list(folder.iterdir()) == []
    assert stocked.last_backup() is None


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "the disk is full. Free some space, or choose another folder. Nothing was left there."),
        (errno.EFBIG, "that disk holds no file of this size"),
        (errno.EIO, "the system says: Input/output error."),
    ],
)
def test_a_disk_that_gives_up_in_the_middle_is_left_clean(stocked, folder, monkeypatch, number, sentence):
    written = zipfile.ZipFile.writestr

    def fails(self, name, *rest, **more):
        if str(name).startswith("files/"):
            raise OSError(number, "Input/output error")
        return written(self, name, *rest, **more)

    monkeypatch.setattr(zipfile.ZipFile, "writestr", fails)
    with refused(sentence):
        stocked.back_up(folder)
    assert list(folder.iterdir()) == []
    assert list(stocked.home.glob(".backup*")) == []
    assert stocked.last_backup() is None


@pytest.mark.parametrize("at", [0.0, 0.3, 0.7])
def test_a_cancelled_backup_leaves_nothing(stocked, folder, at):
    def stop(done: float) -> None:
        if done >= at:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        stocked.back_up(folder, progress=stop)
    assert list(folder.iterdir()) == []
    assert list(stocked.home.glob(".backup*")) == []


def test_what_the_disk_made_of_it_is_read_again(stocked, folder, monkeypatch):
    """A disk that swallows a byte: the copy is verified, not believed."""
    verify = archive.verify

    def damaged(path, progress):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        return verify(path, progress)

    monkeypatch.setattr(archive, "verify", damaged)
    with pytest.raises(StoreError, match="damaged"):
        stocked.back_up(folder)
    assert list(folder.iterdir()) == []


def test_what_is_erased_meanwhile_is_not_in_it(stocked, folder, monkeypatch, tmp_path):
    verify, erased = archive.verify, []

    def erases(path, progress):
        if not erased:
            erased.append(3)
            stocked.delete_visit(3)
        return verify(path, progress)

    monkeypatch.setattr(archive, "verify", erases)
    found = stocked.back_up(folder)
    assert (found.cases, found.files, found.missing) == (2, 7, ())
    restore(Path(found.path), tmp_path / "new")
    assert not CaseStore(tmp_path / "new").exists(3)


def test_what_is_saved_meanwhile_does_not_tear_it(stocked, save, folder, monkeypatch, tmp_path):
    copied = backup._add_database

    def saves(*arguments):
        save(9, notes="later")
        return copied(*arguments)

    monkeypatch.setattr(backup, "_add_database", saves)
    found = stocked.back_up(folder)
    assert (found.cases, found.files) == (3, 9)
    assert stocked.search().total == 4


def test_copies_that_a_killed_backup_left_are_removed_later(stocked):
    left = stocked.home / ".backup-0123.db"
    left.write_bytes(b"patients")
    staged = stocked.home / ".restore-0123"
    staged.mkdir()
    stocked.tidy()
    assert left.exists()  # it may be at work
    stocked.tidy(min_age_s=0)
    assert not left.exists()
    assert not staged.exists()


# --------------------------------------------------------------------------------------------------------- restoring


def test_a_round_trip_brings_everything_back(stocked, made, tmp_path):
    done = restore(made, tmp_path / "new")
    assert done == Restored(tmp_path / "new", stocked.last_backup().made_at, 3, 9, None, ())
    new = CaseStore(tmp_path / "new")
    assert new.search().total == 3
    assert [new.case(number) for number in (1, 2, 3)] == [stocked.case(number) for number in (1, 2, 3)]
    assert np.array_equal(new.photo(1).pixels, samples.photo(0).pixels)
    assert len(new.explanations(1)) == 3
    assert new.revisions(1) == stocked.revisions(1)
    assert new.settings().clinic_name == "Skin Clinic"
    assert new.lost_files() == ()
    assert new.tidy().problems == ()
    assert new.last_backup().path == str(made)
    assert {path.name for path in new.home.iterdir()} <= {"cases.db", "cases.db-wal", "cases.db-shm", "files",
                                                          "reserve.bin"}  # fmt: skip
    with new._reading() as db:
        assert next(db.execute("PRAGMA journal_mode"))[0] == "wal"
        assert next(db.execute("PRAGMA application_id"))[0] == database.APPLICATION_ID


def test_where_there_are_cases_nothing_happens_without_the_word(made, tmp_path):
    other = CaseStore(tmp_path / "other")
    other.add_patient("P-9")
    before = tree(other.home)
    with refused(f"There is a case file in {other.home} (0 cases, 1 patient), and nothing of it was changed."):
        restore(made, other.home)
    assert tree(other.home).keys() == before.keys()
    assert [one.pseudonym for one in other.patients()] == ["P-9"]


def test_what_was_there_is_set_aside_whole(made, tmp_path):
    other = CaseStore(tmp_path / "other")
    photo = samples.photo(77)
    other.save_case(
        photo,
        samples.QUALITY,
        samples.prediction(),
        patient=NewPatient("P-9"),
        lesion=("back", ""),
        taken_on="2024-01-01",
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
    CaseStore(home).files.write(dict([files.picture_file(samples.photo().pixels)]))
    with refused("(1 photo or map)"):
        restore(made, home)


def test_a_move_that_fails_in_the_middle_is_taken_back(made, tmp_path, monkeypatch):
    other = CaseStore(tmp_path / "other")
    other.add_patient("P-9")
    rename = Path.rename

    def fails(self, target):
        if self.parent.name.startswith(".restore-") and self.name == "cases.db":
            raise OSError(errno.EIO, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with refused("Input/output error"):
        restore(made, other.home, replace=True)
    monkeypatch.undo()
    assert [one.pseudonym for one in other.patients()] == ["P-9"]
    assert not list(other.home.glob("before-restore-*"))
    assert not list(other.home.glob(".restore-*"))
    assert not (other.home / "files").exists()


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
        "a newer one": ({"backup.json": json.dumps(manifest | {"version": 2}).encode()}, "made by a newer SkinLens"),
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
    other.add_patient("P-9")
    with refused(sentence):
        restore(path, other.home, replace=True)
    assert [one.pseudonym for one in other.patients()] == ["P-9"]
    assert sorted(one.name for one in other.home.iterdir() if not one.name.startswith("cases.db")) == []
    assert not (tmp_path / "evil.sh").exists()


def test_a_full_disk_leaves_what_is_there(made, tmp_path, monkeypatch):
    other = CaseStore(tmp_path / "other")
    other.add_patient("P-9")
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
