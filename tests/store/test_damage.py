"""A database whose bytes changed on the disk: sentences, never other data than was saved."""

import json
import os
import random
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from skinlens.errors import SkinLensError, StoreError
from skinlens.store import CaseQuery, CaseStore, ClinicianReading, NewLesion, NewPatient
from tests.store import samples
from tests.store.edits import add_patient

FLIPS = int(os.environ.get("SKINLENS_TEST_FLIPS", "72"))
"""Damaged copies that are tried, of six kinds in turn; more of them with the setting."""


def rewrite(store: CaseStore, sql: str) -> None:
    """As a slip of another program would: past the store and past its triggers."""
    with closing(sqlite3.connect(store.database)) as connection, connection:
        found = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
        triggers = connection.execute(found).fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(sql)
        for _, made in triggers:
            connection.execute(made)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE visit SET clinician_diagnosis = 'nevus' WHERE id = 1",
        "UPDATE visit SET prob_mel = prob_mel + 1e-16 WHERE id = 1",
        "UPDATE visit SET lesion_id = 2 WHERE id = 1",
        "UPDATE visit SET notes = CAST(x'ff' AS TEXT) WHERE id = 1",
        "UPDATE visit SET quality = '[' WHERE id = 1",
        "UPDATE patient SET pseudonym = 'P-0003' WHERE id = 1",
        "UPDATE lesion SET body_site = 'leg' WHERE id = 1",
    ],
)
def test_a_changed_value_is_never_shown_and_the_other_cases_are(store, save, change):
    first = save(1, clinician_diagnosis="melanoma", clinician_label="mel")
    second = save(2, patient=NewPatient("P-0002"))
    rewrite(store, change)
    with pytest.raises(StoreError, match=r"What the database holds of case 1 is damaged, and is not shown: .* copy"):
        store.case(first.visit.id)
    assert store.case(second.visit.id) == second
    page = store.search()
    assert [row.visit_id for row in page.rows] == [second.visit.id]
    assert page.total == 2
    (problem,) = page.problems
    assert problem.startswith("What the database holds of case 1 is damaged, and is not shown")
    assert any("is not what was saved" in problem for problem in store.tidy().problems)
    store.delete_visit(first.visit.id)
    assert [row.visit_id for row in store.search().rows] == [second.visit.id]


def test_a_damaged_row_is_not_sealed_anew_by_a_change(store, save):
    case = save(1, notes="as saved")
    rewrite(store, "UPDATE visit SET clinician_diagnosis = 'nevus' WHERE id = 1")
    rewrite(store, "UPDATE patient SET birth_year = 1961 WHERE id = 1")
    with pytest.raises(StoreError, match="of case 1 is damaged"):
        store.annotate(1, ClinicianReading(notes="new"), status="draft", expected_version=1)
    with pytest.raises(StoreError, match="of patient 1 is damaged"):
        save(2, patient=case.patient.id)
    with pytest.raises(StoreError, match="of patient 1 is damaged"):
        add_patient(store, "P-0001")
    assert store.patients() == ()


def test_maps_checks_outlines_and_changes_are_sealed_as_well(store, save):
    photo = samples.photo(1)
    outline = samples.outline(photo)
    case = save(photo=photo, maps=True, checks=[samples.check(photo)], outlines=[outline])
    rewrite(store, "UPDATE explanation SET label = 'nv' WHERE method = 'lime'")
    rewrite(store, """UPDATE check_result SET figures = '{"gain": 0.9}'""")
    rewrite(store, "UPDATE outline SET made_by = 'clinician'")
    rewrite(store, "UPDATE revision SET action = 'signed'")
    record = store.load(1)
    assert [one.method for one in record.explanations] == ["grad_cam", "score_cam"]
    assert (record.checks, record.outlines, record.revisions) == ((), (), ())
    assert [problem.split(" is damaged")[0] for problem in record.problems] == [
        f"What the database holds of case 1, {one}" for one in ("map 3", "check 1", "outline 1")
    ]
    assert (store.load(1).checks, store.outlines(1), store.revisions(1)) == ((), (), ())
    assert store.case(1) == case
    with zipfile.ZipFile(BytesIO(store.export_patient(1))) as archive:
        document = json.loads(archive.read("patient.json"))
    assert [problem.split(" is damaged")[0] for problem in document["problems"]] == [
        f"What the database holds of {one}"
        for one in ("case 1, map 3", "case 1, check 1", "case 1, outline 1", "change 1")
    ]
    assert document["lesions"][0]["visits"][0]["notes"] == ""
    found = store.damage()
    for words in ("of map 3", "of check 1", "of outline 1", "of change 1"):
        assert any(words in sentence for sentence in found)


@pytest.mark.slow
def test_a_case_that_damage_hides_is_not_called_deleted(store, save):
    for seed in range(60):
        save(seed, notes="x" * 2000)
    with store._reading() as db:
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = 'visit'").fetchone()[0]
    content = bytearray(store.database.read_bytes())
    content[(root - 1) * 4096 + 3 : (root - 1) * 4096 + 5] = b"\0\1"  # the root page has one cell: most rows are gone
    store.database.write_bytes(content)
    for door in (store.case, store.exists, store.photo, store.delete_visit):
        with pytest.raises(StoreError):
            door(5)


def test_a_damaged_case_file_names_the_last_backup(store, save, tmp_path):
    save(1, notes="a whisper")
    made = store.back_up(tmp_path / "stick")
    rewrite(store, "UPDATE visit SET notes = 'A whisper'")
    damage, offer = store.damage()
    assert "what it holds of case 1 is not what was saved" in damage
    assert f"python -m skinlens restore {made.path} --replace" in offer


def test_a_damaged_index_leads_to_no_row_of_another_case(store, save):
    """The page of one index in the place of another: it leads from the number of a lesion to the change of a visit."""
    for seed in range(1, 4):
        save(seed, patient=NewPatient(f"P-{seed}"), taken_on="2024-05-31")
    moved = store.move_case(1, patient=None, lesion=3, expected_version=1)  # case 1 now is of lesion 3
    assert moved.lesion.id == 3
    expected = {number: set(map(str, store.revisions(number))) for number in (1, 2, 3)}
    with store._reading() as db:
        roots = dict(db.execute("SELECT name, rootpage FROM sqlite_master WHERE name LIKE 'revision_of_%'").fetchall())
    content = bytearray(store.database.read_bytes())
    source, target = (4096 * (roots[name] - 1) for name in ("revision_of_visit", "revision_of_lesion"))
    content[target : target + 4096] = content[source : source + 4096]
    store.database.write_bytes(content)
    for number in (1, 2, 3):
        assert set(map(str, store.revisions(number))) <= expected[number]
    assert any("damaged" in problem for problem in store.tidy().problems)


# ------------------------------------------------------------------------------------------------------------- fuzz


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
    """What it returns, or what SkinLens raises on purpose; anything else fails the test."""
    try:
        return call()
    except SkinLensError as error:
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


@pytest.mark.slow
def test_whatever_bytes_change_there_are_sentences_and_never_other_data(store, save, tmp_path: Path) -> None:
    for number in range(1, 5):
        photo = samples.photo(number)
        given = {"checks": [samples.check(photo)], "outlines": [samples.outline(photo)], "notes": "a whisper " * 30}
        patient = NewPatient(f"P-{number // 3}", 1950 + number // 3)
        save(photo=photo, maps=True, patient=patient, lesion=NewLesion(f"site {number}"), **given)
    store.acknowledge_disclaimer()
    expected = {name: call() for name, call in calls(store).items()}
    assert all(expected.values())
    content = store.database.read_bytes()
    other = CaseStore(tmp_path / "damaged")
    other.home.mkdir()
    (other.home / "files").symlink_to(store.home / "files")
    refused = found_at_start = 0
    for seed in range(FLIPS):
        for path in other.home.glob("cases.db*"):
            path.unlink()
        other.database.write_bytes(damaged(content, seed))
        tidied = answer(other.tidy)
        found_at_start += isinstance(tidied, StoreError) or bool(tidied.problems)
        for name, call in calls(other).items():
            result, whole = answer(call), expected[name]
            if isinstance(result, SkinLensError):
                assert isinstance(result, StoreError), (seed, name, result)
                assert str(result).endswith("."), (seed, name, result)
                refused += 1
            elif isinstance(whole, tuple):
                assert set(map(str, result)) <= set(map(str, whole)), (seed, name)
            else:
                assert result == whole or (result is None and name == "agreed"), (seed, name)
    assert refused > FLIPS  # the damage was felt
    assert found_at_start > FLIPS // 2
    shutil.rmtree(other.home)
