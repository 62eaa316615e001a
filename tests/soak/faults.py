"""Soak: every call of the disk and of SQLite fails once, and memory ends at every call, in each step of the store.

After each fault: it was said in the sentence of its kind or did no harm; the store opens and is sound; what was there
before is there; and the same step done again works.

    PYTHONPATH=. .venv/bin/python tests/soak/faults.py --steps save erase --every 3
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import numpy as np
import pyrage

import skinlens.store
from skinlens.errors import CaseNotFound, SkinLensError
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit, database
from skinlens.store.restore import restore
from tests import faults
from tests.store import samples

STORE = Path(skinlens.store.__file__).parent
SECRET = "correct horse battery"
STAYS, TOUCHED = 1, 2
"""Cases: one that no step touches, and the one that is amended, explained or erased."""
NEW_PHOTO = 77
GUARD = ("plain_errors", "_plain.<locals>.call", "_asking.<locals>.ask", "restore")
"""What makes the sentence cannot itself be without memory, or there is none."""


class Place:
    """Folders of one turn, and the store in one of them."""

    def __init__(self, root: Path) -> None:
        self.root, self.home, self.stick = root, root / "home", root / "stick"
        self.store = CaseStore(self.home)


class Step(NamedTuple):
    """Something that the store is asked for, and whether it is done."""

    do: Callable[[Place], object]
    is_done: Callable[[Place], bool]
    again: bool = True
    """Whether it can be asked for again where it is done already."""


def _save(place: Place) -> object:
    photo = samples.photo(NEW_PHOTO)
    visit = NewVisit(None, NewLesion("arm"), "2024-06-01")
    return place.store.save_case(samples.analysis(photo), visit, samples.three_explanations(photo)[:1])


def _saved(place: Place) -> bool:
    return len(place.store.cases_with_photo(samples.photo(NEW_PHOTO).sha256)) == 1


def _amend(place: Place) -> object:
    version = place.store.case(TOUCHED).visit.version
    reading = ClinicianReading("mel", "", "amended")
    return place.store.annotate(TOUCHED, reading, status="amended", expected_version=version)


def _explain(place: Place) -> object:
    return place.store.add_explanation(TOUCHED, _other_map())


def _other_map() -> Any:
    one = samples.three_explanations(samples.photo(TOUCHED))[0]
    return replace(one, heatmap=1 - one.heatmap)


def _explained(place: Place) -> bool:
    found = place.store.load(TOUCHED).explanations
    return any(np.array_equal(one.heatmap, _other_map().heatmap) for one in found)


def _backups(place: Place) -> list[Path]:
    return [path for path in place.stick.glob("skinlens-backup-*.zip") if path.name != "kept.zip"]


STEPS: dict[str, Step] = {
    "save": Step(_save, _saved, again=False),
    "amend": Step(_amend, lambda place: place.store.case(TOUCHED).visit.notes == "amended"),
    "explain": Step(_explain, _explained),
    "erase": Step(lambda place: place.store.delete_visit(TOUCHED), lambda place: not place.store.exists(TOUCHED),
                  again=False),
    "view": Step(lambda place: place.store.load(TOUCHED), lambda _: True),
    "tidy": Step(lambda place: place.store.tidy(), lambda _: True),
    "backup": Step(lambda place: place.store.back_up(place.stick), lambda place: bool(_backups(place))),
    "encrypted backup": Step(lambda place: place.store.back_up(place.stick, passphrase=SECRET),
                             lambda place: bool(_backups(place))),
    "restore": Step(lambda place: restore(place.stick / "kept.zip", place.home, replace=True),
                    lambda place: place.store.case(TOUCHED).visit.notes == "as in the backup"),
    "encrypted restore": Step(
        lambda place: restore(place.stick / "sealed.zip", place.home, replace=True, passphrase=SECRET),
        lambda place: place.store.case(TOUCHED).visit.notes == "as in the backup"),
}  # fmt: skip


@contextmanager
def quickly() -> Iterator[None]:
    """Without the second that a passphrase costs, and without waiting long for a lock."""
    cheap = SimpleNamespace(encrypt=lambda data, _: data, decrypt=lambda data, _: data)
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(pyrage, "passphrase", cheap))
        stack.enter_context(mock.patch.object(database, "BUSY_TIMEOUT_S", 0.05))
        yield


def stock(root: Path) -> Place:
    """Two cases, a signed one among them, a backup of them and an encrypted one; then one was edited."""
    place = Place(root)
    place.stick.mkdir(parents=True)
    for number in (STAYS, TOUCHED):
        photo = samples.photo(number)
        said = ClinicianReading("nv", "", "as in the backup")
        visit = NewVisit(NewPatient(f"P-{number}"), NewLesion("back"), "2024-05-31", said, status="signed")
        place.store.save_case(samples.analysis(photo), visit, samples.three_explanations(photo)[:1])
    for name, secret in (("kept.zip", None), ("sealed.zip", SECRET)):
        Path(place.store.back_up(place.stick, passphrase=secret).path).rename(place.stick / name)
    version = place.store.case(TOUCHED).visit.version
    place.store.annotate(TOUCHED, ClinicianReading("nv", "", "later"), status="amended", expected_version=version)
    return place


def wrong_with(place: Place) -> list[str]:
    """A sentence for each thing that is not whole, or that was there and is gone."""
    store = place.store
    found = [*store.damage(), *store.lost_files(), *store.verify_audit().problems]
    found += store.tidy(min_age_s=0.0).problems
    try:
        record = store.load(STAYS)
        if record.problems or not np.array_equal(record.photo.pixels, samples.photo(STAYS).pixels):
            found.append(f"case {STAYS} is not whole: {record.problems}")
        if len(record.explanations) != 1 or record.visit.notes != "as in the backup":
            found.append(f"case {STAYS} is not as it was")
    except CaseNotFound:
        found.append(f"case {STAYS} is gone")
    found += [f"{path.name} was left" for path in place.home.iterdir() if path.name.startswith(".")]
    if not (place.stick / "kept.zip").is_file():
        found.append("a backup is gone")
    return found


class Fault(NamedTuple):
    """A fault of some kind in a call."""

    kind: str
    at: int
    """Number of the call, from 0 on."""
    lasting: bool
    """Also in all calls after it."""


class Turn(NamedTuple):
    """One fault and what came of it."""

    step: str
    fault: Fault
    call: str
    said: str
    wrong: tuple[str, ...]


@contextmanager
def _struck(kind: str, at: int | None, lasting: bool, place: Place) -> Iterator[faults.Faults]:
    """Memory ends at a function of the store, any other fault comes from the disk or from SQLite."""
    told = faults.Faults(faults.KINDS[kind.removesuffix(" at any call")], at, lasting=lasting)
    if kind.endswith("at any call"):
        with faults.memory_ends(told, STORE, *GUARD):
            yield told
    else:
        with faults.injected(told, place.home, place.stick):
            yield told


KINDS = (*faults.KINDS, "no memory at any call")


def calls_of(name: str, kind: str, original: Place, folder: Path) -> list[str]:
    """What a step calls, in words, where nothing fails."""
    place = _copied(original, folder)
    with _struck(kind, None, False, place) as told:
        STEPS[name].do(place)
    return told.calls


def _copied(original: Place, folder: Path) -> Place:
    place = Place(folder)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(original.root, folder)
    return place


def turn(name: str, fault: Fault, original: Place, folder: Path) -> Turn:
    """Do one step with the fault; look what is left; do it again."""
    kind, at, lasting = fault
    place, step, said, wrong = _copied(original, folder), STEPS[name], "", list[str]()
    with _struck(kind, at, lasting, place) as told:
        try:
            step.do(place)
        except SkinLensError as error:
            said = str(error)
        except BaseException as error:  # noqa: BLE001  it is what is looked for
            wrong.append(f"{type(error).__name__}: {error}")
    call = told.calls[at] if told.struck else ""
    words = faults.KINDS[kind.removesuffix(" at any call")].words
    if said and (not said.endswith((".", "?")) or not any(word in said for word in words)):
        wrong.append(f"not the sentence of its kind: {said}")
    try:
        if not said.startswith("A restore in"):  # which says what is to be done, and a retry does it
            found = [] if "restore" in name and place.store.exchange.exists() else wrong_with(place)
            wrong += found
        done = not place.store.exchange.exists() and step.is_done(place)
        if not said and not wrong and not done:
            wrong.append("nothing was said, and it is not done")
        if step.again or not done:
            step.do(place)
        wrong += [f"after it was done again: {one}" for one in wrong_with(place)]
        if not step.is_done(place):
            wrong.append("done again, it is not done")
    except Exception as error:  # noqa: BLE001  as above
        wrong.append(f"afterwards {type(error).__name__}: {error}")
    return Turn(name, fault, call, said, tuple(wrong))


def matrix(steps: list[str], choose: Callable[[list[Fault]], list[Fault]], folder: Path) -> Iterator[Turn]:
    """Those that are chosen of the faults of each step: each kind at each call, once and from there on."""
    with quickly():
        original = stock(folder / "original")
        for name in steps:
            of_disk, of_functions = (len(calls_of(name, kind, original, folder / "turn")) for kind in KINDS[-2:])
            numbers = {kind: range(of_functions if kind == KINDS[-1] else of_disk) for kind in KINDS}
            for one in choose(
                [Fault(kind, at, lasting) for kind in KINDS for at in numbers[kind] for lasting in (False, True)]
            ):
                yield turn(name, one, original, folder / "turn")


def soak(steps: list[str], every: int, folder: Path) -> dict[str, Any]:
    """The figures of the table in ``docs/reliability.md``."""
    begun, first = time.monotonic(), random.SystemRandom().randrange(every)
    by_step = {name: dict.fromkeys(("faults", "said", "wrong"), 0) for name in steps}
    for one in matrix(steps, lambda found: found[first::every], folder):
        figures = by_step[one.step]
        figures["faults"] += 1
        figures["said"] += bool(one.said)
        if one.wrong:
            figures["wrong"] += 1
            print(f"{one.step}, {one.fault} ({one.call}): {' | '.join(one.wrong)}", file=sys.stderr)
    return {"steps": by_step, "every": every, "seconds": round(time.monotonic() - begun, 1)}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    parser.add_argument("--every", type=int, default=1, help="Only every so manieth call; 1: all.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = soak(given.steps, given.every, Path(folder))
    print(json.dumps(figures, indent=2))
    return 1 if any(one["wrong"] for one in figures["steps"].values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
