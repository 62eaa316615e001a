"""Feature vectors of stored photos, and the search for similar cases among them.

A vector is what the network knows of a photo just before its last layer (``Head.hidden``); two are compared by the
cosine of their angle, and only if one model made both. They lie in memory as one matrix for each model, which every
search brings up to date with what was written and erased since.

The table is not sealed, as a vector can be computed again at any time; one of a wrong length is left out.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64
from sqlite_utils.db import Database

from skinlens.records import Array, Features
from skinlens.store import mapping, patients
from skinlens.store.connection import StoreHome
from skinlens.store.mapping import Row

Relation = Literal["same patient", "another patient", "patient not recorded"]
DiagnosisSource = Literal["histology", "clinician", "not signed", "none"]

MATRICES_KEPT = 2
_BATCHES = (100, 1_000, 20_000)
"""How many of the nearest are looked up at a time, until enough of them have what is asked for."""


@dataclass(frozen=True)
class SimilarCase:
    """A stored case whose photo looks alike to the model."""

    visit_id: int
    lesion_id: int
    patient_id: int | None
    pseudonym: str
    """Empty where the patient was not recorded."""
    taken_on: str
    body_site: str
    similarity: float
    """Cosine, 0 to 1: 1 is the same."""
    relation: Relation
    """To the patient that the search was for."""
    diagnosis: str | None
    """One of ``labels.DIAGNOSES``: of histology, otherwise the clinician's; None where it is given in words alone."""
    diagnosis_text: str
    source: DiagnosisSource
    top_label: str
    """The class that the model, at its time, found most probable."""
    remark: str = ""
    """Side and exact location."""

    @property
    def confirmed(self) -> bool:
        """Whether the diagnosis was confirmed by histology, or by a clinician who signed."""
        return self.source in {"histology", "clinician"}


@dataclass(frozen=True, eq=False)
class SimilarQuery:
    """Query for similar cases."""

    features: Features
    model_sha256: str
    patient_id: int | None = None
    """Whose photo it is; None: not recorded, or not known yet."""
    lesion_id: int | None = None
    """The lesion whose own visits are left out."""
    count: int = 6
    confirmed_only: bool = True


@dataclass(frozen=True, eq=False)
class _Matrix:
    """The vectors of one model, each of length 1."""

    visits: Int64[Array, " n"]
    vectors: Float32[Array, "n k"]
    last: int
    """The highest number of a row that was read."""
    rows: int
    """So many there were, those that could not be used included."""


_MATRICES: dict[tuple[str, str, int], _Matrix] = {}
_LOCK = threading.Lock()


class StoredFeatures(StoreHome):
    """The part of ``CaseStore`` that keeps feature vectors; erased and exported with their visit."""

    def keep_features(self, visit_id: int, model_sha256: str, features: Features) -> None:
        """Store the features of a visit in place of those of another model, if there are any."""
        with self._writing() as db:
            patients.row_of(db, "visit", visit_id)
            db.execute("DELETE FROM visit_features WHERE visit_id = ?", [visit_id])
            put_features(db, visit_id, model_sha256, features)

    def visits_without_features(self, model_sha256: str, *, after: int = 0, most: int = 100) -> tuple[int, ...]:
        """Visits with a number above ``after`` of which this model's features are not stored, by number."""
        sql = """
            SELECT id FROM visit WHERE id > ? AND NOT EXISTS (
                SELECT 1 FROM visit_features WHERE visit_id = visit.id AND visit_features.model_sha256 = ?
            ) ORDER BY id LIMIT ?"""
        with self._reading() as db:
            return tuple(row["id"] for row in db.query(sql, [after, model_sha256, most]))

    def load_features(self, model_sha256: str, width: int) -> int:
        """Bring those of a model into memory, so that the first search need not wait; how many there are."""
        with self._reading() as db:
            return len(self._matrix(db, model_sha256, width).visits)

    def similar_cases(self, query: SimilarQuery) -> tuple[SimilarCase, ...]:
        """The most similar first, one of each lesion; none of unreliable photos, none that is erased."""
        with self._reading() as db:
            matrix = self._matrix(db, query.model_sha256, len(query.features))
            cases: dict[int, SimilarCase] = {}
            for case in _by_similarity(db, matrix, query):
                cases.setdefault(case.lesion_id, case)
                if len(cases) == query.count:
                    break
            return tuple(cases.values())

    def forget_features(self) -> None:
        """Drop what this process has in memory of the store's cases."""
        with _LOCK:
            for key in [key for key in _MATRICES if key[0] == str(self.database)]:
                del _MATRICES[key]

    def _matrix(self, db: Database, model_sha256: str, width: int) -> _Matrix:
        """Numbers are never given twice: as many rows, up to the same number, are the same rows."""
        key = (str(self.database), model_sha256, width)
        sql = "SELECT count(*) AS total, coalesce(max(id), 0) AS last FROM visit_features WHERE model_sha256 = ?"
        now = next(iter(db.query(sql, [model_sha256])))
        with _LOCK:
            known = _MATRICES.get(key)
        if known is not None and (known.rows, known.last) == (now["total"], now["last"]):
            return known
        start = known or _Matrix(np.zeros(0, np.int64), np.zeros((0, width), np.float32), 0, 0)
        matrix = _extended(db, start, model_sha256)
        if matrix.rows != now["total"]:  # some were erased, or made anew
            matrix = _extended(db, _Matrix(start.visits[:0], start.vectors[:0], 0, 0), model_sha256)
        with _LOCK:
            _MATRICES.pop(key, None)
            _MATRICES[key] = matrix
            while len(_MATRICES) > MATRICES_KEPT:
                del _MATRICES[next(iter(_MATRICES))]
        return matrix


def put_features(db: Database, visit_id: int, model_sha256: str, features: Features) -> None:
    row = {"visit_id": visit_id, "model_sha256": model_sha256, "features": features.astype("<f2").tobytes()}
    mapping.insert(db, "visit_features", row)


def features_of(db: Database, visit_id: int) -> dict[str, object] | None:
    """Features for the export: the model's hash and the numbers; None where none are stored."""
    row = mapping.first(db, "SELECT model_sha256, features FROM visit_features WHERE visit_id = ?", [visit_id])
    if row is None:
        return None
    return {"model_sha256": row["model_sha256"], "values": np.frombuffer(row["features"], "<f2").tolist()}


def _extended(db: Database, start: _Matrix, model_sha256: str) -> _Matrix:
    """With the rows that were added since."""
    # The sign keeps SQLite from going through the index by model: rows in their order are read much faster.
    sql = "SELECT id, visit_id, features FROM visit_features WHERE +model_sha256 = ? AND id > ? ORDER BY id"
    added = db.execute(sql, [model_sha256, start.last]).fetchall()
    width = start.vectors.shape[1]
    whole = [(visit, blob) for _, visit, blob in added if len(blob) == 2 * width]
    vectors = np.frombuffer(b"".join(blob for _, blob in whole), dtype="<f2").reshape(-1, width).astype(np.float32)
    visits = np.array([visit for visit, _ in whole], dtype=np.int64)
    return _Matrix(
        visits=np.concatenate([start.visits, visits]),
        vectors=np.concatenate([start.vectors, _of_length_one(vectors)]),
        last=added[-1][0] if added else start.last,
        rows=start.rows + len(added),
    )


def _of_length_one(vectors: Float32[Array, "n k"]) -> Float32[Array, "n k"]:
    lengths = np.sqrt(np.einsum("nk,nk->n", vectors, vectors))
    unit: Float32[Array, "n k"] = vectors / np.maximum(lengths, 1e-6)[:, np.newaxis]
    return unit


def _by_similarity(db: Database, matrix: _Matrix, query: SimilarQuery) -> Iterator[SimilarCase]:
    """Those that may be shown, the most similar first; only as many are read as are asked for."""
    wanted = _of_length_one(query.features[np.newaxis])[0]
    similarity = np.einsum("nk,k->n", matrix.vectors, wanted)  # no `@`: see ``Head.logits_of_pooled``
    order, start = np.argsort(-similarity, kind="stable"), 0
    for size in (*_BATCHES, len(order)):
        batch = order[start : start + size]
        known = {row["id"]: row for row in _rows(db, matrix.visits[batch].tolist())}
        for place in batch:
            row = known.get(int(matrix.visits[place]))
            if row is None or row["lesion_id"] == query.lesion_id:
                continue
            case = _case_of(row, float(similarity[place]), query.patient_id)
            if case.confirmed or not query.confirmed_only:
                yield case
        start += size


def _rows(db: Database, visit_ids: Sequence[int]) -> Iterator[Row]:
    """Of reliable photos, as they were saved."""
    if not visit_ids:
        return iter(())
    wanted = "v.id IN (SELECT value FROM json_each(?)) AND reliable"
    sql = f"SELECT {mapping.CASE_COLUMNS} FROM {mapping.CASE_TABLES} WHERE {wanted}"
    return (row for row in db.query(sql, [json.dumps(visit_ids)]) if row["all_sound"])


def _case_of(row: Row, similarity: float, patient_id: int | None) -> SimilarCase:
    label, text, source = _diagnosis(row)
    return SimilarCase(
        visit_id=row["id"],
        lesion_id=row["lesion_id"],
        patient_id=row["patient_id"],
        pseudonym=row["pseudonym"] or "",
        taken_on=row["taken_on"],
        body_site=row["body_site"],
        similarity=min(1.0, max(0.0, similarity)),
        relation=_relation(row["patient_id"], patient_id),
        diagnosis=label,
        diagnosis_text=text,
        source=source,
        top_label=row["top_label"],
        remark=row["remark"],
    )


def _relation(stored: int | None, own: int | None) -> Relation:
    if stored is None or own is None:
        return "patient not recorded"
    return "same patient" if stored == own else "another patient"


def _diagnosis(row: Row) -> tuple[str | None, str, DiagnosisSource]:
    """Histology comes before what the clinician said."""
    if row["histology"] is not None or row["histology_text"].strip():
        return row["histology"], row["histology_text"], "histology"
    if row["clinician_label"] is None and not row["clinician_diagnosis"].strip():
        return None, "", "none"
    source: DiagnosisSource = "not signed" if row["status"] == "draft" else "clinician"
    return row["clinician_label"], row["clinician_diagnosis"], source
