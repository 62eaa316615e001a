"""Soak: a process that saves, edits, explains and erases is killed with SIGKILL at random moments, again and again.

After each kill: the store opens and is sound, every acknowledged save is whole, every acknowledged erasure holds, no
file of a case is lost, and the audit chain verifies.

    PYTHONPATH=. .venv/bin/python tests/soak/kill.py --kills 1000
"""

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from skinlens.errors import CaseNotFound
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit, chain
from tests.store import samples

LONGEST_S = 0.2
"""A kill comes after up to so long."""
KILLS_A_HOME = 50
"""Then a new folder: the check after each kill reads all of it."""


def work(home: Path, seed: int, say: int) -> None:
    """Change cases for ever. A line goes to ``say`` before and after each step: what is begun, what is acknowledged."""
    chance = random.Random(seed)
    store = CaseStore(home, actor=f"soak {seed}")
    mine: dict[int, int] = {}

    def tell(step: str, **rest: object) -> None:
        os.write(say, (json.dumps({"step": step, **rest}) + "\n").encode())

    while True:
        step = chance.choices(("save", "annotate", "explain", "view", "erase"), (5, 2, 2, 1, 1))[0]
        if step == "save" or not mine:
            photo_seed = chance.randrange(10**6)
            photo = samples.photo(photo_seed)
            tell("saving")
            visit = NewVisit(NewPatient(f"P-{seed}-{photo_seed}-{len(mine)}"), NewLesion("back"), "2024-05-31",
                             ClinicianReading("nv", "", f"note {photo_seed}"))  # fmt: skip
            case = store.save_case(samples.analysis(photo), visit, samples.three_explanations(photo)[:1])
            mine[case.visit.id] = photo_seed
            tell("saved", id=case.visit.id, photo=photo_seed)
            continue
        number = chance.choice(sorted(mine))
        tell(f"{step} begun", id=number)
        if step == "annotate":
            before = store.case(number).visit
            said = ClinicianReading("mel", "", f"{before.notes}+")
            store.annotate(number, said, status="draft", expected_version=before.version)
            tell("annotated", id=number, notes=said.notes)
        elif step == "explain":
            one = store.load(number).explanations[0]
            store.add_explanation(number, replace(one, heatmap=1 - one.heatmap))
            tell("explained", id=number)
        elif step == "view":
            store.note_view("visit", number)
            tell("viewed", id=number)
        else:
            store.delete_visit(number)
            del mine[number]
            tell("erased", id=number)


def killed(home: Path, seed: int) -> tuple[list[dict[str, Any]], float]:
    """What a worker told before it was killed, and after how many seconds that was."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with suppress(BaseException):
            work(home, seed, write)
        os._exit(70)  # work never ends by itself
    os.close(write)
    after = random.Random(seed + 10**6).uniform(0, LONGEST_S)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with os.fdopen(read, "rb") as told:
        lines = told.read().decode().splitlines()
    assert os.WIFSIGNALED(status), f"seed {seed}: the worker failed by itself: {lines[-3:]}"
    return [json.loads(line) for line in lines], after


def check(home: Path, acknowledged: Mapping[int, int], notes: Mapping[int, str], erasing: set[int]) -> list[str]:
    """A sentence for each thing that is not as it was acknowledged."""
    store = CaseStore(home)
    wrong = [*store.damage(), *store.lost_files(), *store.verify_audit().problems]
    wrong += store.tidy(min_age_s=0.0).problems  # nobody saves now: what an interrupted save left is set aside at once
    for number, photo_seed in acknowledged.items():
        if number in erasing:
            continue
        try:
            record = store.load(number)
        except CaseNotFound:
            wrong.append(f"case {number} was acknowledged and is gone")
            continue
        whole = np.array_equal(record.photo.pixels, samples.photo(photo_seed).pixels)
        if not whole or record.problems or len(record.explanations) != 1:
            wrong.append(f"case {number} is not whole: {record.problems}")
        if not record.visit.notes.startswith(notes[number]):
            wrong.append(f"case {number} has lost an acknowledged edit: {record.visit.notes!r}, not {notes[number]!r}")
    return wrong


def stock(home: Path) -> None:
    """Some cases beforehand: beside fewer files than a killed save leaves, a start keeps its hands off and says so."""
    for seed in range(4):
        photo = samples.photo(10**7 + seed)
        visit = NewVisit(None, NewLesion("arm"), "2024-05-31")
        CaseStore(home).save_case(samples.analysis(photo), visit, samples.three_explanations(photo)[:1])


def soak(kills: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill so many times; the figures of the table in ``docs/reliability.md``."""
    figures = dict.fromkeys(("kills", "saves", "edits", "erasures", "kills_in_a_step", "heads_behind", "failures"), 0)
    begun, acknowledged, notes, erasing = time.monotonic(), dict[int, int](), dict[int, str](), set[int]()
    erased: set[int] = set()
    home = folder / "0"
    for turn in range(kills):
        if turn % KILLS_A_HOME == 0:
            home = folder / str(turn)
            stock(home)
            acknowledged, notes, erasing, erased = {}, {}, set(), set()
        told, after = killed(home, seed + turn)
        for line in told:
            match line["step"]:
                case "saved":
                    acknowledged[line["id"]], notes[line["id"]] = line["photo"], f"note {line['photo']}"
                    figures["saves"] += 1
                case "annotated":
                    notes[line["id"]] = line["notes"]
                    figures["edits"] += 1
                case "explained" | "viewed":
                    figures["edits"] += 1
                case "erase begun":
                    erasing.add(line["id"])
                case "erased":
                    erased.add(line["id"])
                    figures["erasures"] += 1
        figures["kills"] += 1
        figures["kills_in_a_step"] += bool(told) and (told[-1]["step"] == "saving" or "begun" in told[-1]["step"])
        kept = chain.kept_head(home)
        figures["heads_behind"] += kept is not None and kept.entries < CaseStore(home).audit_head().entries
        wrong = check(home, acknowledged, notes, erasing)
        wrong += [f"case {number} was erased and is there" for number in erased if CaseStore(home).exists(number)]
        if wrong:
            figures["failures"] += 1
            print(f"seed {seed + turn}, killed after {after:.4f} s: {' '.join(wrong)}", file=sys.stderr)
    return {
        **figures,
        "first_seed": seed,
        "longest_s": LONGEST_S,
        "seconds": round(time.monotonic() - begun, 1),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=None, help="Of the first kill; drawn and printed by default.")
    given = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if given.seed is None else given.seed
    print(f"seeds {seed} to {seed + given.kills - 1}")
    with tempfile.TemporaryDirectory() as folder:
        figures = soak(given.kills, seed, Path(folder))
    print(json.dumps(figures, indent=2))
    return 1 if figures["failures"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
