"""Backups whose bytes changed: one sentence for each, and nothing is touched."""

import os
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pyrage
import pytest

from skinlens.errors import StoreError
from skinlens.store import CaseStore, ClinicianReading, archive, validation
from skinlens.store.restore import in_the_clear, restore
from tests.store.backups import refused, rewritten, tree
from tests.store.fuzzing import damaged_zip

pytestmark = pytest.mark.slow
TRIED = int(os.environ.get("SKINLENS_TEST_BROKEN_BACKUPS", "100"))
"""Changed copies of a backup; more of them with the setting."""
SECRET = "correct horse battery"


def test_whatever_changes_in_a_backup_there_is_one_sentence(made: Path) -> None:
    content, whole = made.read_bytes(), archive.verify(made, lambda _: None)
    other, refusals = made.with_name("changed.zip"), set[str]()
    for seed in range(TRIED):
        other.write_bytes(damaged_zip(content, seed))
        said, found = "", whole
        try:
            found = archive.verify(other, lambda _: None)
        except StoreError as error:  # anything else fails the test
            said = str(error)
            refusals.add(said)
        assert not said or (said.startswith(f"{other} ") and said.endswith(".")), (seed, said)
        assert (found.database_sha256, found.files) == (whole.database_sha256, whole.files), seed
    assert len(refusals) > 10


def test_whatever_changes_in_an_encrypted_backup_there_is_one_sentence(stocked, folder, tmp_path, monkeypatch):
    by_passphrase = SimpleNamespace(encrypt=lambda data, _: data, decrypt=lambda data, _: data)
    monkeypatch.setattr(pyrage, "passphrase", by_passphrase)  # its seconds are not what is looked at
    made = Path(stocked.back_up(folder, passphrase=SECRET).path)
    content, other, refused_ones = made.read_bytes(), folder / "changed.zip", 0
    for seed in range(TRIED):
        if seed % 5 == 4:
            continue  # it has no list of contents
        other.write_bytes(damaged_zip(content, seed))
        said = ""
        try:
            with in_the_clear(other, tmp_path / "new", SECRET) as clear:
                archive.verify(other, lambda _: None, clear)
        except StoreError as error:
            said = str(error)
        assert not said or said.startswith(f"{other} "), (seed, said)
        refused_ones += bool(said)
    assert refused_ones > TRIED // 3
    assert [path.name for path in (tmp_path / "new").iterdir()] == []


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_entry_that_is_packed_otherwise_is_refused_before_it_is_read(made, tmp_path, method):
    other = made.with_name("other.zip")
    with zipfile.ZipFile(made) as found, zipfile.ZipFile(other, "w", method) as target:
        for name in found.namelist():
            target.writestr(name, found.read(name))
    with refused("is packed in a way that no backup is"):
        restore(other, tmp_path / "new")


def test_a_broken_backup_changes_nothing_in_the_case_file(stocked, made):
    before = tree(stocked.home)
    content, other = made.read_bytes(), made.with_name("changed.zip")
    for broken in (content[:-200], content[: len(content) // 2], content.replace(b"PK\x01\x02", b"PK\x01\x03", 1), b""):
        other.write_bytes(broken)
        with refused(str(other)):
            restore(other, stocked.home, replace=True)
        assert {name: content for name, content in tree(stocked.home).items() if "-shm" not in name} == {
            name: content for name, content in before.items() if "-shm" not in name
        }


def test_a_list_of_contents_without_end_is_refused(made, tmp_path):
    with refused("its end is missing"):
        restore(rewritten(made, **{"backup.json": b"[" * 200_000}), tmp_path / "new")


def test_a_database_that_cannot_be_opened_at_all_names_the_last_backup(stocked: CaseStore, made: Path) -> None:
    stocked.database.write_bytes(b"Dear diary, " * 500)
    for suffix in ("-wal", "-shm"):
        stocked.database.with_name(stocked.database.name + suffix).unlink(missing_ok=True)
    for door in (stocked.patients, stocked.tidy, stocked.search):
        with pytest.raises(StoreError) as caught:
            door()
        assert f"python -m skinlens restore {made} --replace" in str(caught.value)
    restore(made, stocked.home, replace=True)
    assert stocked.search().total == 3


def test_a_database_with_a_damaged_page_is_read_and_not_written_until_it_is_replaced(stocked, made):
    with stocked._opened() as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'visit_by_melanoma'").fetchone()[0]
    content = bytearray(stocked.database.read_bytes())
    content[page * 4096 - 40 : page * 4096 - 8] = b"\x55" * 32
    stocked.database.write_bytes(content)
    said = stocked.tidy().problems
    assert "What can be read of it is shown, and nothing is written into it any more." in said[0]
    assert f"restore {made} --replace" in said[-1]
    assert stocked.load(1).visit.notes == "the first"
    for door in (lambda: stocked.delete_visit(1), stocked.acknowledge_disclaimer):
        with refused("is damaged, and was opened to be read alone. The last backup is of "):
            door()
    assert "is damaged, and was opened to be read alone" in stocked.note_view("visit", 1)
    restore(made, stocked.home, replace=True)
    assert stocked.tidy().problems == ()
    stocked.delete_visit(1)


def test_a_drive_that_is_removed_is_not_begun_anew(stocked: CaseStore) -> None:
    away = stocked.home.with_name("unplugged")
    stocked.home.rename(away)
    for left in (False, True):  # where a disk is mounted, an empty folder is left
        if left:
            stocked.home.mkdir()
        for door in (stocked.search, stocked.acknowledge_disclaimer, stocked.tidy, lambda: stocked.load(1)):
            with refused("was there and is gone: its disk was removed, or its folder moved or deleted."):
                door()
        assert stocked.home.exists() == left
    assert list(stocked.home.iterdir()) == []
    stocked.home.rmdir()
    away.rename(stocked.home)
    assert stocked.load(1).visit.notes == "the first"


def test_a_clock_that_jumps_back_changes_neither_order_nor_log(stocked, save, monkeypatch):
    before = [row.visit_id for row in stocked.search().rows]
    monkeypatch.setattr(validation, "now", lambda: "2001-01-01T00:00:00.000+00:00")
    later = save(9, taken_on="2024-06-30").visit.id
    reading = ClinicianReading("nv", "", "after the jump")
    stocked.annotate(later, reading, status="draft", expected_version=1)
    assert stocked.verify_audit().problems == ()
    assert [row.visit_id for row in stocked.search().rows] == [later, *before]
    assert [one.action for one in stocked.revisions(later) if one.subject == "visit"] == ["created", "edited"]
    assert stocked.tidy().problems == ()
