"""Every older version of the database, with rows in it, opens as the newest."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils.db import Database

from skinlens.clinical import NOT_RECORDED, ClinicalRecord, Plan
from skinlens.errors import StoreError
from skinlens.labels import CODES
from skinlens.records import Patient, PredictionSet
from skinlens.store import CaseQuery, CaseStore, ClinicianReading, NewLesion, NewPatient, blobs
from skinlens.store.migrations import MIGRATIONS, STEP_NAMES
from skinlens.store.seals import seal
from tests.store import samples
from tests.store.edits import edit
from tests.store.test_damage import rewrite

MODEL_COLUMNS = {"model_name": "hsb", "model_version": "0.9", "model_sha256": "ab" * 32}
VISIT = {
    "taken_on": "2024-05-31",
    "width_px": 60,
    "height_px": 45,
    "source_format": "PNG",
    "photo_notes": '["A note."]',
    "quality": '[{"name": "sharpness", "title": "Sharpness", "value": 0.25, "limit": 0.5, "direction": "at least", '
    '"unit": "", "passed": false, "advice": "Hold still."}]',
    **{f"prob_{code}": 0.4 if code == "mel" else 0.1 for code in CODES},
    "top_label": "mel",
    "logits": "[0.5, 0.5, 0.5, 0.5, 2.0, 0.5, 0.5]",
    "melanoma_threshold": '{"value": 0.2, "sensitivity": 0.9, "specificity": 0.7, "chosen_on": "val"}',
    "latency_ms": 8.0,
    **MODEL_COLUMNS,
    "clinician_label": "mel",
    "clinician_diagnosis": "melanoma in situ",
    "notes": "kept from the first version",
    "status": "signed",
    "created_at": "2024-05-31T09:00:00.000+00:00",
    "updated_at": "2024-05-31T09:00:00.000+00:00",
    "skinlens_version": "0.1.0",
}


def old_store(home: Path, steps: int) -> CaseStore:
    """A store as it was when only the first ``steps`` steps existed, with one row in each table that has content."""
    store = CaseStore(home)
    photo = samples.photo()
    picture, thumbnail = blobs.picture_file(photo.pixels), blobs.thumbnail_file(photo.pixels)
    heatmap = blobs.heat_file(samples.explanation(photo).heatmap)
    store.files.write(dict([picture, thumbnail, heatmap]))
    stop = STEP_NAMES[steps] if steps < len(STEP_NAMES) else None
    created = VISIT["created_at"]
    with closing(sqlite3.connect(store.database)) as connection:
        db = Database(connection)
        MIGRATIONS.apply(db, stop_before=stop)
        if steps >= 1:
            db.table("patient").insert(
                {"pseudonym": "P-old", "birth_year": 1934, "born_earlier": 1, "sex": "male", "created_at": created}
            )
            db.table("lesion").insert({"patient_id": 1, "body_site": "face", "remark": "", "created_at": created})
            named = {"photo_sha256": photo.sha256, "photo_file": picture[0], "thumbnail_file": thumbnail[0]}
            db.table("visit").insert({"lesion_id": 1, **VISIT, **named})
        if steps >= 2:
            explanation = {
                "visit_id": 1,
                "method": "lime",
                "label": "mel",
                "params": '{"samples": 512}',
                "seed": 7,
                **MODEL_COLUMNS,
                "duration_ms": 9.5,
                "diagnostics": '{"r2": 0.5}',
                "created_at": created,
                "heat_file": heatmap[0],
            }
            db.table("explanation").insert(explanation)
        if steps >= 4:
            revision = {"at": created, "action": "created", "changes": "{}", "model_version": "0.9"}
            db.table("revision").insert({"visit_id": 1, **revision, "skinlens_version": "0.1.0"})
        if steps >= 5:
            db.table("setting").insert({"key": "theme", "value": "dark", "updated_at": created})
        if steps >= 6:
            check = {
                "visit_id": 1,
                "kind": "faithfulness",
                "label": "mel",
                "method": "lime",
                "settings": '{"steps": 17}',
                "seed": 7,
                **MODEL_COLUMNS,
                "figures": '{"gain": 0.5}',
                "duration_ms": 9.5,
                "created_at": created,
            }
            db.table("check_result").insert(check)
        if steps >= 8:
            outline = {"made_by": "clinician", "points": "[[0.1, 0.2], [0.9, 0.3], [0.5, 0.8]]", **MODEL_COLUMNS}
            db.table("outline").insert({"visit_id": 1, **outline, "created_at": created})
        if steps >= 9:
            stored = '{"codes": ["mel", "nv"], "level": 0.9, "calibrated_on": "756 photos of val"}'
            db.execute("UPDATE visit SET prediction_set = ?", [stored])
    return store


@pytest.mark.parametrize("steps", range(len(STEP_NAMES) + 1))
def test_every_older_version_opens_with_all_its_rows(tmp_path, save, steps):
    store = old_store(tmp_path, steps)
    if steps == 0:
        assert store.search().total == 0
    else:
        case = store.case(1)
        assert case.patient == Patient(1, "P-old", 1934, "male", birth_year_is_upper_bound=True)
        assert (case.visit.prediction.top.code, case.visit.prediction.model.version) == ("mel", "0.9")
        assert case.visit.quality.failed[0].advice == "Hold still."
        assert case.visit.first_impression is None
        assert (case.visit.clinical, case.patient.phototype) == (NOT_RECORDED, None)
        kept = PredictionSet(("mel", "nv"), 0.9, "756 photos of val")
        assert case.visit.prediction.prediction_set == (kept if steps >= 9 else None)
        assert case.visit.prediction.turned_probs == ()
        assert [row.visit_id for row in store.search(CaseQuery(text="first vers", patient="old")).rows] == [1]
        assert [row.visit_id for row in store.search(CaseQuery(text="melanoma face")).rows] == [1]
        assert store.photo(1).notes == ("A note.",)
        assert [one.params for one in store.load(1).explanations] == ([{"samples": 512}] if steps >= 2 else [])
        assert [one.figures for one in store.load(1).checks] == ([{"gain": 0.5}] if steps >= 6 else [])
        assert [one.points[1] for one in store.outlines(1)] == ([(0.9, 0.3)] if steps >= 8 else [])
        assert [one.action for one in store.revisions(1)] == (["created"] if steps >= 4 else [])
        store.annotate(1, ClinicianReading(notes="later"), status="signed", expected_version=1)
        assert store.search(CaseQuery(text="first vers")).total == 0
        moved = store.move_case(1, patient=NewPatient("P-new"), lesion=NewLesion("back"), expected_version=2)
        assert (moved.visit.version, moved.lesion.version, moved.patient.version) == (3, 1, 1)
        assert store.search(CaseQuery(text="face")).total == 0
        said = ClinicalRecord(symptoms="itching", plan=Plan("excise"))
        edit(store, 1, symptoms="itching", evolution="", expected_version=3)
        assert edit(store, 1, plan=said.plan, expected_version=4).visit.clinical == said
        assert store.search(CaseQuery(text="itching later")).total == 1
        store.delete_patient(moved.patient.id)
    assert (store.setting("theme") is not None) is (steps >= 5)
    assert schema(store) == schema(CaseStore(tmp_path / "new"))


@pytest.mark.parametrize(
    ("column", "value", "flags"),
    [
        ("prob_mel", 0.4, (1, 1)),
        ("prob_mel", 0.2, (1, 1)),  # at the cut-off
        ("prob_mel", 0.1999, (0, 1)),
        ("quality", '[{"name": "familiarity", "passed": false}, {"name": "sharpness", "passed": true}]', (1, 0)),
        ("quality", '[{"name": "familiarity", "passed": true}, {"name": "sharpness", "passed": false}]', (1, 1)),
        ("quality", "[]", (1, 1)),
    ],
)
def test_the_flags_of_stored_verdicts_are_worked_out(tmp_path, column, value, flags):
    store = old_store(tmp_path, 14)
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.create_function("seal", -1, seal, deterministic=True)
        connection.execute(f"UPDATE visit SET {column} = ?", [value])
    store.patients()
    with closing(sqlite3.connect(store.database)) as connection:
        assert connection.execute("SELECT above_cutoff, reliable FROM visit").fetchall() == [flags]


def test_a_row_that_was_damaged_before_stays_damaged(tmp_path):
    store = old_store(tmp_path, 14)
    rewrite(store, "UPDATE visit SET quality = '['")
    with pytest.raises(StoreError, match="What the database holds of case 1 is damaged"):
        store.case(1)


def schema(store: CaseStore) -> list[tuple[str, str, str]]:
    store.patients()
    with closing(sqlite3.connect(store.database)) as connection:
        return connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()


def test_a_database_from_the_future_is_left_alone(store, save):
    save()
    with closing(sqlite3.connect(store.database)) as connection, connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('skinlens', 'm999_future', '')"
        )
    before = store.database.read_bytes()
    with pytest.raises(StoreError) as error:
        store.search()
    assert str(error.value) == (
        f"The case database in {store.home} was written by a newer SkinLens (it has the step m999_future, this version "
        f"knows steps up to {STEP_NAMES[-1]}). Nothing was changed. Open it with the newer version."
    )
    assert store.database.read_bytes() == before


def test_the_steps_are_numbered_in_their_order():
    assert [int(name[1:4]) for name in STEP_NAMES] == list(range(1, len(STEP_NAMES) + 1))


def test_a_first_impression_is_never_changed(store, save):
    save(first_impression="unsure")
    refused = pytest.raises(sqlite3.IntegrityError, match="a first impression is never changed")
    with store._writing() as db, refused:
        db.execute("UPDATE visit SET first_impression = 'mel'")


def test_which_came_first_is_never_changed(store, save):
    save(result_first=True)
    refused = pytest.raises(sqlite3.IntegrityError, match="whether the result was shown first is never changed")
    with store._writing() as db, refused:
        db.execute("UPDATE visit SET result_first = 0")


def test_a_revision_is_never_changed(store, save):
    save()
    refused = pytest.raises(sqlite3.IntegrityError, match="a revision is never changed")
    with store._writing() as db, refused:
        db.execute("UPDATE revision SET action = 'signed'")


def _tables(db: Database) -> dict[str, list[str]]:
    """Table → columns; without those that SQLite makes for the search and for itself."""
    names = [row["name"] for row in db.query("SELECT name FROM sqlite_master WHERE type = 'table'")]
    own = [name for name in names if not name.startswith(("sqlite_", "_sqlite", "visit_text"))]
    return {name: [row["name"] for row in db.query(f"PRAGMA table_info({name})")] for name in own}


def test_whatever_names_a_patient_a_lesion_a_visit_or_a_revision_is_erased_with_it(tmp_path: Path) -> None:
    CaseStore(tmp_path).search()
    with closing(sqlite3.connect(tmp_path / "cases.db")) as connection:
        db = Database(connection)
        missing, count = [], 0
        for table, columns in _tables(db).items():
            keys = {row["from"]: row for row in db.query(f"PRAGMA foreign_key_list({table})")}
            for column in columns:
                if column in {"patient_id", "lesion_id", "visit_id", "revision_id"}:
                    count += 1
                    key = keys.get(column, {})
                    if (key.get("table"), key.get("on_delete")) != (column.removesuffix("_id"), "CASCADE"):
                        missing.append(f"{table}.{column}")
    assert count >= 11
    assert missing == []


def test_the_seal_of_a_row_covers_each_of_its_columns(tmp_path: Path) -> None:
    """Also a column that a later step adds; ``seals.add_columns`` does that, a bare ALTER TABLE does not."""
    CaseStore(tmp_path).search()
    with closing(sqlite3.connect(tmp_path / "cases.db")) as connection:
        connection.create_function("seal", -1, seal, deterministic=True)  # the views call it
        db = Database(connection)
        tables = {name: columns for name, columns in _tables(db).items() if "seal" in columns}
        assert {"patient", "lesion", "visit", "explanation", "check_result", "outline", "revision"} <= set(tables)
        for table, columns in tables.items():
            view = [row["name"] for row in db.query(f"PRAGMA table_info(sealed_{table})")]
            assert sorted(view) == sorted({*columns, "sound"} - {"seal"}), table
            triggers = db.query("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?", [table])
            sealing = {row["name"]: row["sql"] for row in triggers if "seal(" in row["sql"]}
            assert set(sealing) == {f"{table}_sealed_new", f"{table}_sealed_again"}
            for sql in sealing.values():
                assert [column for column in set(columns) - {"seal"} if column not in sql] == []
