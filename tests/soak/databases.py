"""Soak: databases whose bytes changed on the disk, each opened, read page by page, and replaced by the last backup.

Whatever changed: each answer is what was saved, or a sentence; never other data, never another error. Afterwards the
backup brings all of it back.

    PYTHONPATH=. .venv/bin/python tests/soak/databases.py --files 200
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

from skinlens.errors import StoreError
from skinlens.store import CaseQuery, CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from skinlens.store.restore import restore
from tests.store import samples


def calls(store: CaseStore) -> dict[str, Callable[[], Any]]:
    """Each reads something whole; lists are cut into entries, of which damaged ones may be left out."""
    return {
        "patients": store.patients,
        "lesions": lambda: store.lesions(1),
        "sites": store.body_sites,
        "case 1": lambda: asdict(store.case(1)),
        "case 4": lambda: asdict(store.case(4)),
        "photo": lambda: hash(store.photo(2).pixels.tobytes()),
        "thumbnails": lambda: tuple(store.thumbnails([1, 2, 3, 4]).items()),
        "maps": lambda: tuple(str(samples.fields(one)) for one in store.load(1).explanations),
        "checks": lambda: tuple(map(str, store.load(1).checks)),
        "outlines": lambda: tuple(map(str, store.outlines(1))),
        "visits": lambda: tuple(map(str, store.visits_of_lesion(1))),
        "revisions": lambda: tuple(map(str, store.revisions(1))),
        "search": lambda: store.search(CaseQuery(sort="melanoma")).rows,
        "words": lambda: store.search(CaseQuery(text="whisper")).rows,
        "same photo": lambda: store.cases_with_photo(samples.photo(1).sha256),
        "agreed": store.disclaimer_acknowledged_at,
        "export": lambda: exported(store),
    }


def exported(store: CaseStore) -> tuple[str, ...]:
    """What the export says of the patient and of each case."""
    with zipfile.ZipFile(BytesIO(store.export_patient(1))) as archive:
        document = json.loads(archive.read("patient.json"))
    flat = [json.dumps(document["patient"])]
    for lesion in document["lesions"]:
        for visit in lesion.pop("visits"):
            parts = [visit.pop(part) for part in ("explanations", "checks", "outlines")]
            flat += [json.dumps(visit), *(json.dumps(one) for part in parts for one in part)]
        flat.append(json.dumps(lesion))
    return tuple(flat)


def answer(call: Callable[[], Any]) -> Any:
    """What it returns, or what it raises: ``wrong_answers`` tells a sentence from any other error."""
    try:
        return call()
    except Exception as error:  # noqa: BLE001  it is what is looked for
        return error


def damaged(content: bytes, seed: int) -> bytes:
    """Some flipped bits, a sector of zeros, a page in the place of another, or a lost end."""
    chance = random.Random(seed)
    changed = bytearray(content)
    match seed % 6:
        case 0 | 1 | 2:
            for _ in range(1 + chance.randrange(4)):
                changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
        case 3:
            start = chance.randrange(len(changed) // 512) * 512
            changed[start : start + 512] = bytes(512)
        case 4:
            source, target = (chance.randrange(len(changed) // 4096) * 4096 for _ in range(2))
            changed[target : target + 4096] = changed[source : source + 4096]
        case _:
            del changed[chance.randrange(4096, len(changed)) :]
    return bytes(changed)


def stock(store: CaseStore) -> None:
    """Four cases of two patients, each with maps, a check, an outline and a long note."""
    people: dict[str, NewPatient | int] = {}
    for number in range(1, 5):
        photo, name = samples.photo(number), f"P-{number // 3}"
        who = people.get(name, NewPatient(name, 1950 + number // 3))
        visit = NewVisit(who, NewLesion(f"site {number}"), "2024-05-31", ClinicianReading("nv", "", "a whisper " * 30))
        made = samples.three_explanations(photo), [samples.check(photo)], [samples.outline(photo)]
        case = store.save_case(samples.analysis(photo), visit, *made)
        assert case.patient is not None
        people[name] = case.patient.id
    store.acknowledge_disclaimer()


def wrong_answers(store: CaseStore, expected: Mapping[str, Any], met: Counter[str]) -> Iterator[str]:
    """A sentence for each page that shows something else than was saved, or fails without one; ``met`` counts."""
    for name, call in calls(store).items():
        result, whole = answer(call), expected[name]
        if isinstance(result, Exception):
            met["sentences"] += 1
            if not isinstance(result, StoreError) or not str(result).endswith("."):
                yield f"{name}: {type(result).__name__}: {result}"
        elif isinstance(whole, tuple):
            if not set(map(str, result)) <= set(map(str, whole)):
                yield f"{name}: shows what was not saved"
        elif result != whole and not (result is None and name == "agreed"):
            yield f"{name}: shows what was not saved"


def soak(files: int, seed: int, minutes: float, folder: Path) -> dict[str, Any]:
    """The figures of the table in ``docs/reliability.md``; what is wrong goes to stderr with its seed."""
    whole = CaseStore(folder / "home")
    stock(whole)
    backup = Path(whole.back_up(folder / "stick").path)
    expected = {name: call() for name, call in calls(whole).items()}
    assert all(expected.values())
    content, met, begun = whole.database.read_bytes(), Counter[str](), time.monotonic()
    for number in range(seed, seed + files):
        if time.monotonic() - begun > 60 * minutes:
            break
        met["files"] += 1
        other = CaseStore(folder / "damaged")
        shutil.copytree(whole.home, other.home, ignore=shutil.ignore_patterns("cases.db*"))
        other.database.write_bytes(damaged(content, number))
        tidied = answer(other.tidy)
        met["found_at_start"] += isinstance(tidied, StoreError) or bool(tidied.problems)
        sentences = met["sentences"]
        wrong = list(wrong_answers(other, expected, met))
        met["felt"] += met["sentences"] > sentences
        restore(backup, other.home, replace=True)
        wrong += [f"{name}: not back" for name, call in calls(other).items() if answer(call) != expected[name]]
        for words in wrong:
            print(f"seed {number}, {words}", file=sys.stderr)
        met["wrong"] += len(wrong)
        for left in folder.glob("damaged*"):  # with what the restore has set aside
            shutil.rmtree(left)
    names = ("files", "found_at_start", "felt", "sentences", "wrong")
    seconds = round(time.monotonic() - begun, 1)
    return {"first_seed": seed, **{name: met[name] for name in names}, "pages": len(expected), "seconds": seconds}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=30.0, help="No file is begun after so long.")
    parser.add_argument("--seed", type=int, default=None, help="Of the first file; drawn and printed by default.")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**9) if given.seed is None else given.seed
    with tempfile.TemporaryDirectory() as folder:
        figures = soak(given.files, seed, given.minutes, Path(folder))
    print(json.dumps(figures, indent=2))
    return 1 if figures["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
