"""Patient export: a ZIP of ``patient.json``, ``pictures/*.png`` and ``maps/*.npz``."""

import io
import json
import math
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from typing import Any, NamedTuple

from sqlite_utils.db import Database

from skinlens import __version__
from skinlens.checks.registry import CHECKS
from skinlens.labels import CODES, DISCLAIMER
from skinlens.records import CheckResult
from skinlens.store.clinical_rows import exported
from skinlens.store.features import features_of
from skinlens.store.loading import rows_of
from skinlens.store.mapping import Row, lesion_of, model_ref_of, patient_of, revisions_of, whole
from skinlens.store.patients import row_of
from skinlens.store.rescores import rescored_of
from skinlens.store.validation import now
from skinlens.wording.records import map_words

_README = f"""{DISCLAIMER}

Everything that SkinLens {__version__} kept of one patient.
patient.json   the patient, the lesions with their place on the body map (view, and shares of the width and height of
               SkinLens's drawing), the visits with prediction, quality, checks, outlines, notes, criteria, plan
               and histology, the features by which similar cases are found, what later models said ("rescored"),
               and the audit log ("revisions")
pictures/      the photos, lossless, without metadata
maps/          the heat maps in the frame of the network's input: .npz of numpy, float32 array "heat", 0 none, 1 most
"""

_REVISIONS_SQL = """
    WITH own_lesion AS (SELECT id FROM lesion WHERE patient_id = :id)
    SELECT * FROM sealed_revision
    WHERE patient_id = :id OR lesion_id IN own_lesion
        OR visit_id IN (SELECT id FROM visit WHERE lesion_id IN own_lesion)
    ORDER BY id"""


class PatientDocument(NamedTuple):
    content: dict[str, Any]
    """Of ``patient.json``."""
    wanted: dict[str, tuple[str, str]]
    """Path in the ZIP → (name of the stored file, what it is in words)."""
    problems: list[str]
    """A sentence for each row that is damaged and left out."""


def patient_document(db: Database, patient_id: int) -> PatientDocument:
    """Document of all that the database holds of a patient."""
    patient = patient_of(row_of(db, "patient", patient_id))
    wanted: dict[str, tuple[str, str]] = {}
    problems: list[str] = []
    documents = []
    rows = db.query("SELECT * FROM sealed_lesion WHERE patient_id = ? ORDER BY id", [patient_id])
    for lesion in map(lesion_of, whole(rows, "lesion", problems, patient_id=patient_id)):
        rows = db.query("SELECT * FROM sealed_visit WHERE lesion_id = ? ORDER BY taken_on, id", [lesion.id])
        visits = [_visit(db, row["id"], wanted, problems) for row in whole(rows, "case", problems, lesion_id=lesion.id)]
        documents.append(asdict(lesion) | {"visits": visits})
    own = {
        "patient_id": {patient_id},
        "lesion_id": {lesion["id"] for lesion in documents},
        "visit_id": {visit["id"] for lesion in documents for visit in lesion["visits"]},
    }
    changes = whole(db.query(_REVISIONS_SQL, {"id": patient_id}), "change", problems)
    revisions = (row for row in changes if any(row[column] in numbers for column, numbers in own.items()))
    document = {
        "disclaimer": DISCLAIMER,
        "exported_at": now(),
        "skinlens_version": __version__,
        "patient": asdict(patient),
        "lesions": documents,
        "revisions": [asdict(revision) for revision in revisions_of(db, revisions)],
    }
    return PatientDocument(document, wanted, problems)


def pack(document: Mapping[str, Any], files: Mapping[str, bytes]) -> bytes:
    """The ZIP; pictures and maps are compressed already and are stored as they are."""
    archive = io.BytesIO()
    text = json.dumps(_finite(document), ensure_ascii=False, indent=2, allow_nan=False)
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as target:
        target.writestr("README.txt", _README)
        target.writestr("patient.json", text, compress_type=zipfile.ZIP_DEFLATED)
        for path, content in files.items():
            target.writestr(path, content)
    return archive.getvalue()


def _visit(db: Database, number: int, wanted: dict[str, tuple[str, str]], problems: list[str]) -> dict[str, Any]:
    rows = rows_of(db, number)
    problems += rows.problems
    picture = f"pictures/visit-{number:06d}.png"
    wanted[picture] = (rows.visit["photo_file"], f"the picture of case {number}")
    visit = asdict(rows.case.visit) | {"clinical": exported(rows.case.visit.clinical)}
    for numbers in ("probs", "logits"):
        visit["prediction"][numbers] = dict(zip(CODES, visit["prediction"][numbers], strict=True))
    photo = {field: rows.visit[field] for field in ("width_px", "height_px", "source_format")}
    return visit | {
        "photo": {"file": picture, **photo, "notes": json.loads(rows.visit["photo_notes"])},
        "skinlens_version": rows.visit["skinlens_version"],
        "explanations": [_explanation(explanation, wanted) for explanation in rows.maps],
        "checks": [check_statement(check) for check in rows.checks],
        "outlines": [asdict(outline) for outline in rows.outlines],
        "features": features_of(db, number),
        "rescored": rescored_of(db, number),
    }


def _explanation(row: Row, wanted: dict[str, tuple[str, str]]) -> dict[str, Any]:
    path = f"maps/visit-{row['visit_id']:06d}-{row['method']}-{row['label']}-{row['id']}.npz"
    wanted[path] = (row["heat_file"], map_words(row["method"], row["label"], row["visit_id"]))
    plain = {field: row[field] for field in ("method", "label", "seed", "duration_ms", "created_at")}
    parsed = {field: json.loads(row[field]) for field in ("params", "diagnostics")}
    return plain | parsed | {"model": asdict(model_ref_of(row)), "file": path}


def check_statement(result: CheckResult) -> dict[str, Any]:
    """All of a stored result, with title and summary where this version knows the check and can read the figures."""
    check = CHECKS.get(result.kind)
    said = {"title": check.title if check else result.kind, "summary": ""}
    with suppress(LookupError, TypeError, ValueError):  # an export is not to fail for want of a sentence
        said["summary"] = check.summary(result) if check else ""
    return asdict(result) | said


def _finite(value: Any) -> Any:
    """JSON knows no infinity and no NaN; both become null."""
    if isinstance(value, Mapping):
        return {key: _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
