"""Row mapping: records to columns of the database and back; floats come back exactly, from columns and from JSON."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from sqlite_utils.db import Database

from skinlens import __version__
from skinlens.case_record import Revision, Subject
from skinlens.errors import StoreError
from skinlens.labels import CODES
from skinlens.records import (
    BodyPosition,
    Case,
    Explanation,
    Heatmap,
    Lesion,
    ModelRef,
    Patient,
    Photo,
    Pixels,
    Prediction,
    PredictionSet,
    QualityCheck,
    QualityReport,
    Threshold,
    Visit,
)
from skinlens.store.clinical_rows import record_of

Row = dict[str, Any]

PROB_COLUMNS: dict[str, str] = {code: f"prob_{code}" for code in CODES}
PATIENT_COLUMNS = "p.pseudonym, p.birth_year, p.born_earlier, p.sex, p.phototype, p.version AS patient_version"
LESION_COLUMNS = (
    "l.patient_id, l.body_site, l.remark, l.map_view, l.map_x, l.map_y, l.map_drawing, l.version AS lesion_version"
)
ALL_SOUND = "(v.sound AND l.sound AND coalesce(p.sound, l.patient_id IS NULL))"
"""Whether a case, its lesion and its patient, if it has one, are as they were saved."""
CASE_COLUMNS = f"v.*, {ALL_SOUND} AS all_sound, {LESION_COLUMNS}, {PATIENT_COLUMNS}"
CASE_TABLES = """
    sealed_visit v JOIN sealed_lesion l ON l.id = v.lesion_id LEFT JOIN sealed_patient p ON p.id = l.patient_id"""


@dataclass(frozen=True)
class Setting:
    """A value of the installation, with the time at which it was set (UTC, ISO 8601)."""

    value: str
    updated_at: str


def first(db: Database, sql: str, parameters: Sequence[object]) -> Row | None:
    return next(iter(db.query(sql, parameters)), None)


def sound(rows: Iterable[Row], **expected: int | str) -> Iterator[Row]:
    """Rows that hold what was saved, each with the expected values: an index can be damaged as well.

    The others are named by ``CaseStore.damage``, which every start asks.
    """
    for row in rows:
        if is_sound(row, **expected):
            yield row


def whole(rows: Iterable[Row], noun: str, problems: list[str], **expected: int | str) -> Iterator[Row]:
    """The rows that hold what was saved; a sentence goes to ``problems`` for each other one."""
    for row in rows:
        if is_sound(row, **expected):
            yield row
        else:
            problems.append(unsound(f"{noun} {row['id']}"))


def is_sound(row: Row, **expected: int | str) -> bool:
    """Whether the row is undamaged by its seal, and has the values by which an index found it."""
    return bool(row["sound"]) and all(row[column] == value for column, value in expected.items())


def must_be_sound(row: Row, what: str, column: str = "sound") -> None:
    """Refuse a row that does not hold what was saved.

    Raises:
        StoreError: its seal does not fit; ``what`` names it in the message ("case 7").
    """
    if not row[column]:
        raise StoreError(unsound(what))


def unsound(what: str) -> str:
    return (
        f"What the database holds of {what} is damaged, and is not shown: it is not what was saved. Keep the SkinLens "
        "folder as it is, and put back the last good copy of the whole folder."
    )


def insert(db: Database, table: str, row: Row) -> int:
    """The number of the new row."""
    names = ", ".join(row)
    cursor = db.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in row)})", row)
    assert isinstance(cursor.lastrowid, int)
    return cursor.lastrowid


def update(db: Database, table: Subject, number: int, values: Row) -> None:
    columns = ", ".join(f"{name} = :{name}" for name in values)
    db.execute(f"UPDATE {table} SET {columns} WHERE id = :updated_id", {**values, "updated_id": number})


def is_number(number: int) -> bool:
    """Whether SQLite can hold it; beyond 63 bits no row was ever numbered."""
    return abs(number) < 2**63


def gone(subject: Subject, number: int) -> str:
    noun = "case" if subject == "visit" else subject
    return f"There is no {noun} number {number}; it may have been deleted. The worklist shows those that are stored."


def to_json(value: object, *, in_order: bool = False) -> str:
    """JSON with sorted keys, so that equal mappings are equal text; ``in_order``: with the keys as they come."""
    return json.dumps(value, ensure_ascii=False, sort_keys=not in_order)


def model_ref_columns(model: ModelRef) -> Row:
    return {"model_name": model.name, "model_version": model.version, "model_sha256": model.sha256}


def photo_columns(photo: Photo) -> Row:
    return {
        "photo_sha256": photo.sha256,
        "width_px": photo.width_px,
        "height_px": photo.height_px,
        "source_format": photo.source_format,
        "photo_notes": to_json(photo.notes),
    }


def verdict_columns(quality: QualityReport, prediction: Prediction) -> Row:
    return {
        "quality": to_json([asdict(check) for check in quality.checks]),
        **{PROB_COLUMNS[code]: prediction.prob(code) for code in CODES},
        "top_label": prediction.top.code,
        "above_cutoff": int(prediction.above_melanoma_threshold),
        "reliable": int(quality.reliable),
        "logits": to_json(prediction.logits),
        "melanoma_threshold": to_json(asdict(prediction.melanoma_threshold)),
        "prediction_set": None if prediction.prediction_set is None else to_json(asdict(prediction.prediction_set)),
        "turned_probs": to_json(prediction.turned_probs) if prediction.turned_probs else None,
        "latency_ms": prediction.latency_ms,
        **model_ref_columns(prediction.model),
        "skinlens_version": __version__,
    }


def explanation_columns(explanation: Explanation, heat_file: str) -> Row:
    return {
        "method": explanation.method,
        "label": explanation.label,
        "params": to_json(dict(explanation.params)),
        "seed": explanation.seed,
        "duration_ms": explanation.duration_ms,
        "diagnostics": to_json(dict(explanation.diagnostics)),
        "created_at": explanation.created_at,
        "heat_file": heat_file,
        **model_ref_columns(explanation.model),
    }


def patient_of(row: Row, joined: str = "") -> Patient:
    """Patient from a row of the table, or with ``joined="patient_"`` from one of ``CASE_COLUMNS``."""
    return Patient(
        id=row[f"{joined}id"],
        pseudonym=row["pseudonym"],
        birth_year=row["birth_year"],
        sex=row["sex"],
        birth_year_is_upper_bound=bool(row["born_earlier"]),
        version=row[f"{joined}version"],
        phototype=row["phototype"],
    )


def lesion_of(row: Row, joined: str = "") -> Lesion:
    """Lesion from a row of the table, or with ``joined="lesion_"`` from one of ``CASE_COLUMNS``."""
    number, version = row[f"{joined}id"], row[f"{joined}version"]
    return Lesion(number, row["patient_id"], row["body_site"], row["remark"], version, position_of(row))


def position_of(row: Row) -> BodyPosition | None:
    """A lesion's place on the body map, from a row that holds its columns."""
    if row["map_view"] is None:
        return None
    return BodyPosition(row["map_view"], row["map_x"], row["map_y"], row["map_drawing"])


def position_columns(position: BodyPosition | None) -> Row:
    if position is None:
        return dict.fromkeys(("map_view", "map_x", "map_y", "map_drawing"))
    return {
        "map_view": position.view,
        "map_x": float(position.x),
        "map_y": float(position.y),
        "map_drawing": position.drawing,
    }


def model_ref_of(row: Row) -> ModelRef:
    return ModelRef(row["model_name"], row["model_version"], row["model_sha256"])


def quality_of(row: Row) -> QualityReport:
    return QualityReport(tuple(QualityCheck(**check) for check in json.loads(row["quality"])))


def visit_of(row: Row) -> Visit:
    return Visit(
        id=row["id"],
        lesion_id=row["lesion_id"],
        taken_on=row["taken_on"],
        photo_sha256=row["photo_sha256"],
        quality=quality_of(row),
        prediction=Prediction(
            probs=tuple(row[column] for column in PROB_COLUMNS.values()),
            logits=tuple(json.loads(row["logits"])),
            melanoma_threshold=Threshold(**json.loads(row["melanoma_threshold"])),
            model=model_ref_of(row),
            latency_ms=row["latency_ms"],
            prediction_set=_prediction_set_from(row["prediction_set"]),
            turned_probs=tuple(map(tuple, json.loads(row["turned_probs"] or "[]"))),
        ),
        clinician_label=row["clinician_label"],
        clinician_diagnosis=row["clinician_diagnosis"],
        notes=row["notes"],
        status=row["status"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        first_impression=row["first_impression"],
        result_first=None if row["result_first"] is None else bool(row["result_first"]),
        version=row["version"],
        clinical=record_of(row),
        signed_by=row["signed_by"],
        signed_at=row["signed_at"],
    )


def _prediction_set_from(stored: str | None) -> PredictionSet | None:
    if stored is None:
        return None
    value = json.loads(stored)
    return PredictionSet(tuple(value["codes"]), value["level"], value["calibrated_on"])


def case_of(row: Row) -> Case:
    """Case from a row of ``CASE_COLUMNS``."""
    patient = None if row["patient_id"] is None else patient_of(row, "patient_")
    return Case(visit_of(row), lesion_of(row, "lesion_"), patient)


def photo_of(row: Row, pixels: Pixels, *, placeholder: bool = False) -> Photo:
    """Photo from a row of ``visit``; the ``placeholder`` of a lost file keeps the hash, which its maps refer to."""
    return Photo(pixels, row["photo_sha256"], row["source_format"], tuple(json.loads(row["photo_notes"])), placeholder)


def explanation_of(row: Row, heatmap: Heatmap) -> Explanation:
    """Explanation from a row of the table ``explanation`` with the visit's ``photo_sha256`` beside it."""
    return Explanation(
        method=row["method"],
        label=row["label"],
        heatmap=heatmap,
        params=json.loads(row["params"]),
        seed=row["seed"],
        photo_sha256=row["photo_sha256"],
        model=model_ref_of(row),
        duration_ms=row["duration_ms"],
        created_at=row["created_at"],
        diagnostics=json.loads(row["diagnostics"]),
    )


def revisions_of(db: Database, rows: Iterable[Row]) -> tuple[Revision, ...]:
    """Revisions in the order of their rows, each with the actor of its entry in the audit log."""
    changes = list(rows)
    numbers = json.dumps([row["id"] for row in changes])
    entries = db.query(
        "SELECT revision, actor FROM audit WHERE revision IN (SELECT value FROM json_each(?))", [numbers]
    )
    actors = {entry["revision"]: entry["actor"] for entry in entries}
    return tuple(_revision_of(row, actors.get(row["id"], "")) for row in changes)


def _revision_of(row: Row, actor: str) -> Revision:
    subject = next(name for name in get_args(Subject) if row[f"{name}_id"] is not None)
    changes = {
        field: None if pair is None else (pair[0], pair[1]) for field, pair in json.loads(row["changes"]).items()
    }
    return Revision(row["at"], subject, row["action"], changes, row["model_version"], row["skinlens_version"], actor)
