"""Stored cases scored again by a later release: beside the stored result, never in its place.

A release is told by the hash of its manifest, which names all its files: another temperature or cut-off is another
release. The table is not sealed, as its rows can be computed again at any time.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlite_utils.db import Database

from skinlens.drift import Answer, Pair
from skinlens.labels import CODES
from skinlens.records import ModelRef
from skinlens.store import chain, mapping, validation
from skinlens.store.connection import StoreHome
from skinlens.store.mapping import Row

_PAIRS_SQL = """
    SELECT v.id, v.top_label, v.prob_mel, v.above_cutoff, v.reliable, v.source_format, v.width_px, v.height_px,
        l.body_site, r.top_label AS newer_label, r.prob_mel AS newer_prob, r.above_cutoff AS newer_above,
        r.reliable AS newer_reliable
    FROM rescored r JOIN visit v ON v.id = r.visit_id AND v.photo_sha256 = r.photo_sha256
        JOIN lesion l ON l.id = v.lesion_id
    WHERE r.release_sha256 = ? ORDER BY v.id"""
_RELEASES_SQL = """
    SELECT release_sha256, model_name, model_version, model_sha256, count(*) AS cases, max(made_at) AS made_at
    FROM rescored GROUP BY release_sha256 ORDER BY max(id) DESC"""
_OF_VISIT_SQL = """
    SELECT r.* FROM rescored r JOIN visit v ON v.id = r.visit_id AND v.photo_sha256 = r.photo_sha256
    WHERE v.id = ? ORDER BY r.id DESC"""
_TO_SCORE_SQL = """
    SELECT id FROM visit v WHERE id > ? AND NOT EXISTS (
        SELECT 1 FROM rescored r
        WHERE r.release_sha256 = ? AND r.visit_id = v.id AND r.photo_sha256 = v.photo_sha256
    ) ORDER BY id LIMIT 1000"""


@dataclass(frozen=True)
class RescoredRelease:
    """A release by which cases were scored again."""

    release_sha256: str
    """Of its manifest."""
    model: ModelRef
    cases: int
    made_at: str
    """UTC, ISO 8601: the last of them."""


@dataclass(frozen=True)
class Rescored:
    """Result of a later release on the photo of a stored case."""

    visit_id: int
    release_sha256: str
    model: ModelRef
    photo_sha256: str
    probs: tuple[float, ...]
    """In the order of ``labels.CODES``."""
    label: str
    """The most probable class."""
    cutoff: float
    flagged: bool
    """Melanoma at or above ``cutoff``."""
    reliable: bool
    skinlens_version: str
    made_at: str
    """UTC, ISO 8601."""

    @property
    def melanoma_prob(self) -> float:
        return self.probs[CODES.index("mel")]


class StoredRescores(StoreHome):
    """The part of ``CaseStore`` that keeps what later releases said; erased and exported with their visit."""

    def keep_rescored(self, results: Sequence[Rescored]) -> None:
        """Store results in place of those that the same release had of a case. Cases that are gone are left out."""
        with self._writing() as db:
            for result in results:
                if mapping.first(db, "SELECT id FROM visit WHERE id = ?", [result.visit_id]) is None:
                    continue
                known = [result.visit_id, result.release_sha256]
                db.execute("DELETE FROM rescored WHERE visit_id = ? AND release_sha256 = ?", known)
                mapping.insert(db, "rescored", _row_of(result))

    def note_rescoring(self, model: ModelRef) -> None:
        """The log gets one entry for a run over all cases."""
        with self._writing() as db:
            chain.append(db, "rescored", "store", model_sha256=model.sha256)

    def note_drift_export(self) -> None:
        """Note that the list of changes leaves SkinLens as a PDF: called before it does."""
        with self._writing() as db:
            chain.append(db, "exported", "store")

    def visits_to_score(self, release_sha256: str) -> Iterator[int]:
        """The numbers of the cases that a release has not scored yet with their present photo, rising; a thousand are
        read at a time.
        """
        last = 0
        while True:
            with self._reading() as db:
                numbers = [row["id"] for row in db.query(_TO_SCORE_SQL, [last, release_sha256])]
            if not numbers:
                return
            yield from numbers
            last = numbers[-1]

    def rescored(self, visit_id: int) -> tuple[Rescored, ...]:
        """Results of later releases on a case, the latest first."""
        with self._reading() as db:
            return tuple(map(_rescored_of, db.query(_OF_VISIT_SQL, [visit_id])))

    def rescored_releases(self) -> tuple[RescoredRelease, ...]:
        """The latest first."""
        with self._reading() as db:
            return tuple(
                RescoredRelease(row["release_sha256"], mapping.model_ref_of(row), row["cases"], row["made_at"])
                for row in db.query(_RELEASES_SQL)
            )

    def rescored_pairs(self, release_sha256: str) -> tuple[Pair, ...]:
        """The stored and the newer answer of each case that a release scored again, for ``drift.drift``."""
        with self._reading() as db:
            return tuple(map(_pair_of, db.query(_PAIRS_SQL, [release_sha256])))


def rescored_of(db: Database, visit_id: int) -> list[dict[str, Any]]:
    """Results of other releases on a visit, for the export."""
    return [
        {**vars(rescored), "model": vars(rescored.model), "probs": dict(zip(CODES, rescored.probs, strict=True))}
        for rescored in map(_rescored_of, db.query(_OF_VISIT_SQL, [visit_id]))
    ]


def of_batch_row(row: Mapping[str, Any], release_sha256: str) -> Rescored:
    """A row of a batch over the stored cases, of a photo that could be read."""
    return Rescored(
        visit_id=int(row["id"]),
        release_sha256=release_sha256,
        model=mapping.model_ref_of(dict(row)),
        photo_sha256=row["photo_sha256"],
        probs=tuple(row[f"prob_{code}"] for code in CODES),
        label=row["top"],
        cutoff=row["melanoma_cutoff"],
        flagged=row["melanoma_above_cutoff"],
        reliable=not row["out_of_distribution"],
        skinlens_version=row["skinlens_version"],
        made_at=validation.now(),
    )


def _row_of(rescored: Rescored) -> Row:
    return {
        "visit_id": rescored.visit_id,
        "release_sha256": rescored.release_sha256,
        "model_name": rescored.model.name,
        "model_version": rescored.model.version,
        "model_sha256": rescored.model.sha256,
        "photo_sha256": rescored.photo_sha256,
        "probs": json.dumps(rescored.probs),
        "top_label": rescored.label,
        "prob_mel": rescored.melanoma_prob,
        "cutoff": rescored.cutoff,
        "above_cutoff": int(rescored.flagged),
        "reliable": int(rescored.reliable),
        "skinlens_version": rescored.skinlens_version,
        "made_at": rescored.made_at,
    }


def _rescored_of(row: Row) -> Rescored:
    return Rescored(
        row["visit_id"],
        row["release_sha256"],
        mapping.model_ref_of(row),
        row["photo_sha256"],
        tuple(json.loads(row["probs"])),
        row["top_label"],
        row["cutoff"],
        bool(row["above_cutoff"]),
        bool(row["reliable"]),
        row["skinlens_version"],
        row["made_at"],
    )


def _pair_of(row: Row) -> Pair:
    return Pair(
        row["id"],
        row["body_site"],
        f"{row['source_format']}, {row['width_px']} × {row['height_px']} px",
        Answer(row["top_label"], row["prob_mel"], bool(row["above_cutoff"]), bool(row["reliable"])),
        Answer(row["newer_label"], row["newer_prob"], bool(row["newer_above"]), bool(row["newer_reliable"])),
    )
