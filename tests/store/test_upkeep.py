"""A start of the app on a folder that is not as it was: nothing is lost, and what is amiss is said."""

import os
import shutil
import stat
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from skinlens.errors import StoreError
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit, Tidied
from skinlens.store.upkeep import FEW
from tests.store import samples


def contents(store: CaseStore) -> dict[str, bytes]:
    """All photos and maps, wherever they lie below the home folder."""
    return {path.name: path.read_bytes() for path in store.home.rglob("*") if path.suffix in {".png", ".jpg", ".npz"}}


def in_place(store: CaseStore) -> set[str]:
    return {path.name for path in store.home.glob("files/*/*")}


def age(store: CaseStore) -> None:
    """As if everything had been written two hours ago."""
    for path in store.home.glob("files/*/*"):
        os.utime(path, (time.time() - 7200, time.time() - 7200))


@pytest.fixture
def hundred(store, save) -> CaseStore:
    """A store whose 10 cases have 50 files, older than any save under way."""
    for seed in range(10):
        save(seed, maps=True, patient=NewPatient(f"P-{seed}"))
    age(store)
    assert len(in_place(store)) == 50
    return store


@pytest.mark.parametrize("loss", ["emptied", "missing"])
def test_a_lost_database_is_not_made_anew_over_its_photos(hundred, loss):
    before = contents(hundred)
    if loss == "emptied":
        hundred.database.write_bytes(b"")
    else:
        hundred.database.unlink()
    for door in (hundred.tidy, hundred.search, hundred.acknowledge_disclaimer):
        with pytest.raises(StoreError) as refusal:
            door()
        assert str(refusal.value) == (
            f"The case database {hundred.database} is missing or empty, but there are 50 photos and maps in "
            f"{hundred.home / 'files'}. Nothing was changed. Put back the last good copy of the whole folder; or, to "
            "begin without those cases, move the folder files away."
        )
    assert contents(hundred) == before
    assert not hundred.database.exists() or hundred.database.stat().st_size == 0
    (hundred.home / "files").rename(hundred.home / "files of before")
    assert hundred.tidy() == Tidied(0, 0, ())
    assert hundred.search().total == 0


def test_a_database_without_any_case_is_not_the_one_of_these_photos(hundred, tmp_path):
    other = CaseStore(tmp_path / "other")
    other.acknowledge_disclaimer()
    hundred.database.unlink()
    shutil.copy(other.database, hundred.database)
    before = contents(hundred)
    with pytest.raises(StoreError, match=r"50 photos and maps in .* which holds no case at all: .* Nothing was moved"):
        hundred.tidy()
    assert contents(hundred) == before
    assert len(in_place(hundred)) == 50


@pytest.mark.slow
def test_an_older_database_moves_nothing_and_says_so(hundred, save):
    """Also one that lost its write-ahead log: the last cases are not in it."""
    older = hundred.database.read_bytes()
    for seed in range(20, 20 + FEW):
        save(seed)
    age(hundred)
    hundred.database.write_bytes(older)
    before = contents(hundred)
    tidied = hundred.tidy()
    assert (tidied.set_aside, tidied.put_back) == (0, 0)
    (problem,) = tidied.problems
    assert problem == (
        f"{2 * FEW} photos and maps in {hundred.home / 'files'} belong to no case of the database cases.db. It may be "
        "an older copy, or have lost its latest changes. Nothing was moved or deleted. Put back the last good copy of "
        "the whole folder; `python -m skinlens doctor` lists the files."
    )
    assert contents(hundred) == before
    assert len(hundred.unknown_files()) == 2 * FEW
    assert hundred.search().total == 10


@pytest.mark.slow
def test_the_database_of_another_folder_moves_nothing(hundred, tmp_path):
    other = CaseStore(tmp_path / "other")
    photo = samples.photo(99)
    other.save_case(samples.analysis(photo), NewVisit(None, NewLesion("back"), "2024-05-31"))
    for path in list(hundred.files.present().values())[1:]:
        path.unlink()
    hundred.database.unlink()
    shutil.copy(other.database, hundred.database)
    tidied = hundred.tidy()
    assert tidied.set_aside == 0
    assert [problem.split(". ")[0] for problem in tidied.problems] == [
        "Photos or maps are missing, of 1 case (1)",
        f"1 photo or map in {hundred.home / 'files'} belong to no case of the database cases.db",
    ]
    assert len(in_place(hundred)) == 1


@pytest.mark.parametrize(("saved_later", "aside"), [(1, 2), (2, 0), (3, 0)])
def test_a_database_that_knows_less_than_the_half_moves_nothing(store, save, saved_later, aside):
    """Two cases of two files each; of the cases saved later this older copy knows nothing."""
    save(1), save(2)
    older = store.database.read_bytes()
    for seed in range(3, 3 + saved_later):
        save(seed)
    age(store)
    store.database.write_bytes(older)
    tidied = store.tidy()
    assert tidied.set_aside == aside
    assert len(in_place(store)) == 4 + 2 * saved_later - aside
    assert len(tidied.problems) == (0 if aside else 1)


def test_leftovers_of_a_save_go_to_the_quarantine_and_come_back(store, save):
    case = save(1, maps=True)
    save(3, maps=True)
    before_second = store.database.read_bytes()
    second = save(2, maps=True)
    with_second = store.database.read_bytes()
    unfinished = store.files.path("aa" + "0" * 62 + ".png").with_name(f".{'0' * 32}.tmp")
    unfinished.parent.mkdir(exist_ok=True)
    unfinished.write_bytes(b"half a fi")
    everything = contents(store)

    store.database.write_bytes(before_second)
    assert store.tidy() == Tidied(0, 0, ())  # a save may be about to name them
    age(store)
    assert store.tidy() == Tidied(6, 0, ())
    assert len(in_place(store)) == 10
    assert contents(store) == everything
    assert {path.parent.name for path in store.home.glob("quarantine/*/*")} == {datetime.now(UTC).date().isoformat()}
    assert len(store.load(case.visit.id).explanations) == 3

    store.database.write_bytes(with_second)
    assert store.tidy() == Tidied(0, 5, ())
    np.testing.assert_array_equal(store.photo(second.visit.id).pixels, samples.photo(2).pixels)
    assert len(store.load(second.visit.id).explanations) == 3


def test_the_quarantine_holds_for_thirty_days(store, save):
    save(1)
    today = datetime.now(UTC).date()
    orphan = "ab" * 32 + ".png"
    kept = store.home / "quarantine" / (today - timedelta(days=30)).isoformat() / orphan
    gone = store.home / "quarantine" / (today - timedelta(days=31)).isoformat() / orphan
    foreign = gone.with_name("holiday.png")
    for path in (kept, gone, foreign):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"content")
    assert store.tidy() == Tidied(0, 0, ())
    assert [path.exists() for path in (kept, gone, foreign)] == [True, False, True]


def test_files_that_are_not_ours_are_never_touched(store, save):
    case = save(1, maps=True)
    foreign = [
        "files/holiday.jpg",
        "files/2024/beach.jpg",
        "files/ab/notes.txt",
        "files/ab/.hidden",
        "files/ab/" + "ab" * 32 + ".tiff",
        "files/ab/" + "cd" * 32 + ".png",  # in another folder than its name says
        "files/ab/" + "AB" * 32 + ".png",
        "files/ab/.123.tmp",
        "taxes.pdf",
    ]
    for name in foreign:
        path = store.home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"mine")
        os.utime(path, (0, 0))
    outside = store.home.parent / "outside.png"
    outside.write_bytes(b"outside")
    link = store.home / "files" / "ab" / ("ab" * 32 + ".jpg")
    link.symlink_to(outside)
    assert store.tidy(min_age_s=0.0).set_aside == 0
    store.delete_patient(case.patient.id)
    assert store.tidy(min_age_s=0.0).set_aside == 0
    assert all((store.home / name).read_bytes() == b"mine" for name in foreign)
    assert link.is_symlink()
    assert outside.read_bytes() == b"outside"


@pytest.mark.parametrize("escape", ["absolute", "upwards", "inside", "empty"])
def test_a_row_that_names_a_foreign_file_neither_reads_nor_deletes_it(store, save, escape):
    case = save(1)
    victim = store.home / "victim.png"
    victim.write_bytes(b"somebody else's")
    name = {"absolute": str(victim), "upwards": "../victim.png", "inside": "aa/../../victim.png", "empty": ""}[escape]
    with store._writing() as db:
        db.execute("UPDATE visit SET photo_file = ?, thumbnail_file = ?", [name, name])
    with pytest.raises(StoreError, match=r"The database names a file that SkinLens did not make .* left alone"):
        store.photo(case.visit.id)
    assert store.thumbnails([case.visit.id]) == {}
    store.delete_visit(case.visit.id)
    assert victim.read_bytes() == b"somebody else's"
    assert store.search().total == 0


def test_a_damaged_database_moves_nothing_and_what_can_be_read_is_read(hundred):
    """One leaf page of one index: the rows themselves are whole."""
    with hundred._reading() as db:
        page = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'visit_by_melanoma'").fetchone()[0]
        size = db.execute("PRAGMA page_size").fetchone()[0]
    content = bytearray(hundred.database.read_bytes())
    content[page * size - 40 : page * size - 8] = b"\x55" * 32
    hundred.database.write_bytes(content)
    stray = hundred.files.path("ab" * 32 + ".png")
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"stray")
    tidied = hundred.tidy(min_age_s=0.0)
    assert tidied.set_aside == 0
    assert tidied.problems
    assert all("is damaged" in problem and "last good copy" in problem for problem in tidied.problems)
    assert stray.exists()
    assert hundred.case(3).patient.pseudonym == "P-2"


def test_a_lost_photo_is_said_with_its_case(hundred):
    with hundred._reading() as db:
        (name,) = db.execute("SELECT photo_file FROM visit WHERE id = 4").fetchone()
    hundred.files.path(name).unlink()
    assert hundred.tidy().problems == (
        "Photos or maps are missing, of 1 case (4). The rest of these cases can be opened, exported and deleted. Put "
        "the files back from a copy of the folder.",
    )
    (lost,) = hundred.lost_files()
    assert lost.startswith(f"The file with a picture or map of case 4 is missing: {hundred.files.path(name)}.")


@pytest.mark.slow
def test_a_damaged_photo_is_found_on_request_and_mended_by_saving_it_again(hundred, save):
    """Of the same size, so that only its content tells."""
    path = hundred.files.path(next(name for name in in_place(hundred) if name.endswith(".png")))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    (damaged,) = hundred.lost_files()
    assert f"was altered or is damaged: {path}." in damaged
    for seed in range(10):
        save(seed)
    assert hundred.lost_files() == ()


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps a user's data folder to the user by inherited rights")
def test_a_folder_that_others_may_read_is_closed(store, save):
    save(1)
    for path in [store.home, store.database, *store.home.rglob("*")]:
        path.chmod(0o755)
    assert store.tidy() == Tidied(0, 0, ())
    for path in (store.home, store.database, store.home / "files"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.mark.skipif(os.name != "posix", reason="Windows keeps a user's data folder to the user by inherited rights")
def test_a_folder_that_holds_other_things_stays_open_and_that_is_said(store, save):
    save(1)
    (store.home / "taxes.pdf").write_bytes(b"")
    store.home.chmod(0o755)
    (problem,) = store.tidy().problems
    assert problem == (
        f"Other accounts of this computer can look into {store.home}, which holds medical records. Close it to them: "
        f"chmod go= {store.home}"
    )
    assert stat.S_IMODE(store.home.stat().st_mode) == 0o755
    assert stat.S_IMODE((store.home / "files").stat().st_mode) == 0o700
    assert stat.S_IMODE(store.database.stat().st_mode) & 0o077 == 0


def test_a_write_that_fails_leaves_no_half_file(store, monkeypatch):
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        store.files.write({"ab" * 32 + ".png": b"content"})
    assert in_place(store) == set()


def test_a_path_below_the_store_is_made_of_a_name_alone():
    assert CaseStore(Path("home")).files.path("ab" * 32 + ".png") == Path("home/files/ab") / ("ab" * 32 + ".png")
