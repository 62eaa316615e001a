"""A backup: whole, verified, consistent, and left clean where it fails."""

import errno
import fcntl
import hashlib
import json
import os
import re
import zipfile
from pathlib import Path

import pytest

from skinlens.errors import Cancelled, InvalidEntry, StoreError
from skinlens.labels import DISCLAIMER
from skinlens.store import CaseStore, archive, backup, leftovers
from skinlens.store.restore import restore
from tests.store.backups import Usage, refused


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

    def damaged(path, progress, clear):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
        return verify(path, progress, clear)

    monkeypatch.setattr(archive, "verify", damaged)
    with pytest.raises(StoreError, match="damaged"):
        stocked.back_up(folder)
    assert list(folder.iterdir()) == []


def test_what_is_erased_meanwhile_is_not_in_it(stocked, folder, monkeypatch, tmp_path):
    verify, erased = archive.verify, []

    def erases(path, progress, clear):
        if not erased:
            erased.append(3)
            stocked.delete_visit(3)
        return verify(path, progress, clear)

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
    assert left.exists()  # it may be about to be held
    for path in (left, staged):
        os.utime(path, (0, 0))
    with leftovers.at_work(left), leftovers.at_work(staged):
        stocked.tidy(min_age_s=0)
        assert left.exists()
        assert staged.exists()
    stocked.tidy()
    assert not left.exists()
    assert not staged.exists()


def test_a_copy_that_a_killed_backup_left_goes_with_the_next_one_and_one_at_work_stays(stocked, folder, monkeypatch):
    dead, alive = (stocked.home / f".backup-{name}.db" for name in ("dead", "alive"))
    for left in (dead, alive):
        left.write_bytes(b"patients")
        os.utime(left, (0, 0))
    with leftovers.at_work(alive):
        stocked.back_up(folder)
    assert [path.name for path in stocked.home.glob(".backup-*")] == [alive.name]


def test_what_a_killed_backup_left_beside_the_others_is_removed_by_the_next(stocked, folder):
    folder.mkdir()
    dead, alive, fresh = (folder / f".skinlens-backup-{name}.partial" for name in ("dead", "alive", "fresh"))
    for left in (dead, alive, fresh):
        left.write_bytes(b"patients")
    for left in (dead, alive):
        os.utime(left, (0, 0))
    (folder / "mine.partial").write_bytes(b"not SkinLens's")
    with alive.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # as a backup that is at work
        made = stocked.back_up(folder)
    names = {path.name for path in folder.iterdir()}
    assert names == {alive.name, fresh.name, "mine.partial", Path(made.path).name}


def test_a_backup_at_work_holds_its_file(stocked, folder, monkeypatch):
    verify, seen = archive.verify, []

    def look(path, progress, clear):
        with path.open("rb") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        seen.append(path.name)
        return verify(path, progress, clear)

    monkeypatch.setattr(archive, "verify", look)
    stocked.back_up(folder)
    assert len(seen) == 1
