"""Photos that wait on the worklist, in a backup and its restoration: none is lost, doubled or brought back unasked."""

import json
import zipfile
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from skinlens.case_record import Proposal
from skinlens.cli import main
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit, archive, waiting
from skinlens.store.backup import StoredBackups
from skinlens.store.restore import restore
from tests.store import samples
from tests.store.backups import moving_the_database_fails, refused, rewritten, tree

PROPOSED = Proposal("", 1960, "female", "2025-03-04")


@pytest.fixture
def stocked(store: CaseStore) -> CaseStore:
    """One case, and two photos that wait."""
    visit = NewVisit(NewPatient("P-1", 1950), NewLesion("back"), "2025-01-02")
    store.save_case(samples.analysis(samples.photo(1)), visit)
    store.keep_received(b"one", PROPOSED, "issuer\n7")
    store.keep_received(b"two", Proposal())
    return store


def waits(store: CaseStore) -> dict[bytes | None, Proposal]:
    return {store.received_photo(one.token): one.proposal for one in store.received()}


@pytest.mark.parametrize("passphrase", [None, "a long one of twenty"])
def test_they_come_back_with_their_proposals(
    cheap: None, stocked: CaseStore, folder: Path, tmp_path: Path, passphrase: str | None
) -> None:
    made = stocked.back_up(folder, passphrase=passphrase)
    assert (made.cases, made.waiting, made.missing) == (1, 2, ())
    assert stocked.last_backup() == made
    done = restore(Path(made.path), tmp_path / "new", passphrase=passphrase)
    new = CaseStore(tmp_path / "new")
    assert done.waiting == 2
    assert new.received() == stocked.received()
    assert waits(new) == waits(stocked)
    assert waits(new)[b"one"].birth_year == 1960
    assert new.keep_received(b"three", Proposal(), "issuer\n7").proposal.pseudonym == waits(new)[b"one"].pseudonym
    assert new.received_problems() == stocked.received_problems() == ()
    assert (new.home / "received").stat().st_mode & 0o077 == 0


def test_what_waits_now_stays_and_what_waited_then_comes_beside_it(
    stocked: CaseStore, folder: Path, tmp_path: Path
) -> None:
    made = Path(stocked.back_up(folder).path)
    other = CaseStore(tmp_path / "other")
    other.keep_received(b"two", PROPOSED)
    other.keep_received(b"three", PROPOSED)
    restore(made, other.home, replace=True)
    assert waits(other) == {b"one": waits(stocked)[b"one"], b"two": PROPOSED, b"three": PROPOSED}
    assert other.search().total == 1


def test_a_move_that_fails_takes_back_what_came_beside(
    stocked: CaseStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Path(stocked.back_up(folder).path)
    other = CaseStore(tmp_path / "other")
    other.keep_received(b"three", PROPOSED)
    before = tree(other.home / "received")
    moving_the_database_fails(monkeypatch)
    with refused("Input/output error"):
        restore(made, other.home, replace=True)
    assert tree(other.home / "received") == before


def while_the_database_is_copied(monkeypatch: pytest.MonkeyPatch, do: Callable[[StoredBackups], object]) -> None:
    """Once."""
    snapshot, left = StoredBackups._snapshot, [do]

    @contextmanager
    def copied(self: StoredBackups, report: Any) -> Any:
        if left:
            left.pop()(self)
        with snapshot(self, report) as copy:
            yield copy

    monkeypatch.setattr(StoredBackups, "_snapshot", copied)


def filed(store: CaseStore, content: bytes) -> None:
    visit = NewVisit(None, NewLesion("arm"), "2025-03-04")
    store.save_case(samples.analysis(samples.photo(2)), visit)
    store.received_filed(next(one.token for one in store.received() if store.received_photo(one.token) == content))


def test_what_is_filed_meanwhile_is_in_it(
    stocked: CaseStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    while_the_database_is_copied(monkeypatch, lambda _: filed(stocked, b"one"))
    made = stocked.back_up(folder)
    assert (made.cases, made.waiting) == (2, 2)
    assert list(waits(stocked)) == [b"two"]


def test_what_is_filed_before_it_is_read_is_a_case_in_it(
    stocked: CaseStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, left = waiting._read, [stocked]

    def reading(home: Path, token: str) -> tuple[bytes, ...]:
        if left:
            filed(left.pop(), next(one for one in map(stocked.received_photo, [token]) if one))
        return read(home, token)

    monkeypatch.setattr(waiting, "_read", reading)
    made = stocked.back_up(folder)
    assert (made.cases, made.waiting, made.missing) == (2, 1, ())


def test_what_is_discarded_meanwhile_is_not_in_it(
    stocked: CaseStore, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = next(one.token for one in stocked.received() if one.proposal.birth_year)
    while_the_database_is_copied(monkeypatch, lambda _: stocked.discard_received(token))
    made = stocked.back_up(folder)
    restore(Path(made.path), tmp_path / "new")
    assert (made.waiting, list(waits(CaseStore(tmp_path / "new")))) == (1, [b"two"])


@pytest.mark.parametrize("harm", ["photo changed", "photo lost", "note changed"])
def test_one_that_is_damaged_is_told_and_the_rest_is_backed_up(
    stocked: CaseStore, folder: Path, tmp_path: Path, harm: str, capsys: pytest.CaptureFixture[str]
) -> None:
    token = next(one.token for one in stocked.received() if one.proposal.birth_year)
    path = stocked.home / "received" / f"{token}.{'json' if harm == 'note changed' else 'dcm'}"
    path.unlink() if harm == "photo lost" else path.write_bytes(b"{}")
    (problem,) = stocked.received_problems()
    said = "is missing" if harm == "photo lost" else "is damaged"
    assert problem == f"The photo {path.with_suffix('.dcm')}, which waits on the worklist, {said}. Have it sent again."
    made = stocked.back_up(folder)
    restore(Path(made.path), tmp_path / "new")
    found = list(waits(CaseStore(tmp_path / "new")))
    if harm == "photo changed":  # better than none
        assert (made.waiting, made.missing, sorted(map(str, found))) == (2, (), ["b'two'", "b'{}'"])
    else:
        assert (made.waiting, made.missing, found) == (1, (problem,), [b"two"])


def test_a_change_of_what_waits_is_noticed(stocked: CaseStore, folder: Path, tmp_path: Path) -> None:
    made = Path(stocked.back_up(folder).path)
    with zipfile.ZipFile(made) as found:
        names = sorted(name for name in found.namelist() if name.startswith("received/"))
        assert len(names) == 4
        note, content = names[1], found.read(names[1])
    other = {f"received/{'0' * 32}.dcm": b"ten", f"received/{'0' * 32}.json": content}
    for changed, said in (
        ({note: content.replace(b"20", b"19")}, "the photos that wait are not those of the backup"),
        ({names[0]: b"six"}, "the photos that wait are not those of the backup"),
        ({note: None}, "of the 2 photos that wait some files are missing"),
        (other, "of the 2 photos that wait some files are missing"),
        ({names[0]: None, note: None, **other}, "the photos that wait are not those of the backup"),
        ({"received/../x.dcm": b""}, "which no backup of SkinLens has"),
    ):
        with refused(said):
            restore(rewritten(made, **changed), tmp_path / "new")
        assert not (tmp_path / "new" / "received").exists()


def test_a_backup_in_which_nothing_waits_is_one_that_earlier_versions_read(stocked: CaseStore, folder: Path) -> None:
    def version() -> int:
        with zipfile.ZipFile(stocked.back_up(folder).path) as found:
            return int(json.loads(found.read(archive.MANIFEST))["version"])

    assert version() == 2
    for one in stocked.received():
        stocked.discard_received(one.token)
    assert version() == 1


def test_the_commands_say_what_waits(skinlens_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = CaseStore(skinlens_home)
    store.keep_received(b"one", PROPOSED)
    assert main(["backup", str(tmp_path / "stick")]) == 0
    path, said = capsys.readouterr().out.splitlines()
    held = "0 cases, 0 photos and maps, 1 photo waiting on the worklist"
    assert said == f"{held}: written and verified."
    assert main(["verify", path]) == 0
    assert capsys.readouterr().out == f"{path}: {held}, all as they were backed up.\n"
    assert main(["restore", path, "--replace"]) == 0
    assert f"now: {held}.\n" in capsys.readouterr().out
    assert main(["verify"]) == 0
    (skinlens_home / "received" / f"{store.received()[0].token}.dcm").write_bytes(b"")
    assert main(["verify"]) == 1
    assert "WRONG  photos that wait on the worklist\n       The photo " in capsys.readouterr().out
