"""A database whose bytes changed on the disk: sentences, never other data than was saved."""

import json
import sqlite3
import zipfile
from contextlib import closing
from io import BytesIO

import pytest

from skinlens.errors import StoreError
from skinlens.store import CaseStore, ClinicianReading, NewPatient
from tests.store import samples
from tests.store.edits import add_patient


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
