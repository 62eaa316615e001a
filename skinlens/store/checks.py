"""Stored checks of a case: result, model and parameters, written and read like its maps."""

import json
from collections.abc import Sequence
from functools import partial

from sqlite_utils.db import Database

from skinlens.records import CheckResult
from skinlens.renamed_keys import with_present_keys
from skinlens.store import mapping, patients
from skinlens.store.connection import StoreHome
from skinlens.store.mapping import Row
from skinlens.store.validation import require_same_photo

CHECKS_SQL = """
    SELECT check_result.*, photo_sha256 FROM sealed_check_result check_result JOIN visit ON visit.id = visit_id
    WHERE visit_id = ? ORDER BY check_result.id"""


OLD_FIGURES = {"artefact": "artifact", "inside": "relevance_mass", "pointing": "pointing_game"}
"""Keys of figures that earlier versions stored → their names now."""
_PRESENT = partial(with_present_keys, now=OLD_FIGURES)


class StoredChecks(StoreHome):
    """The part of ``CaseStore`` that keeps checks; erased and exported with their visit."""

    def add_checks(self, visit_id: int, checks: Sequence[CheckResult]) -> None:
        """Keep all or none of them; each takes the place of one of the same kind, class, method and settings.

        Raises:
            CaseNotFound: there is no such visit.
            InvalidEntry: a check is of another photo.
        """
        if not checks:
            return
        with self._writing() as db:
            visit = patients.row_of(db, "visit", visit_id)
            for check in checks:
                require_same_photo(check, visit["photo_sha256"])
                put_check(db, visit_id, check)
            named = dict.fromkeys(" ".join(filter(None, (check.kind, check.method, check.label))) for check in checks)
            changes = {"checks": (None, ", ".join(named))}
            patients.record_revision(db, "visit", visit_id, "checked", changes, visit["model_version"])


def put_check(db: Database, visit_id: int, check: CheckResult) -> None:
    """Insert it in the place of the same one."""
    row = {"visit_id": visit_id, **check_columns(check)}
    same = "visit_id = :visit_id AND kind = :kind AND label = :label AND method = :method AND settings = :settings"
    db.execute(f"DELETE FROM check_result WHERE {same}", row)
    mapping.insert(db, "check_result", row)


def check_columns(check: CheckResult) -> Row:
    return {
        "kind": check.kind,
        "label": check.label,
        "method": check.method,
        "settings": mapping.to_json(check.settings),
        "seed": check.seed,
        "figures": mapping.to_json(check.figures, in_order=True),
        "duration_ms": check.duration_ms,
        "created_at": check.created_at,
        **mapping.model_ref_columns(check.model),
    }


def check_of(row: Row) -> CheckResult:
    """Check from a row of the table ``check_result`` with the visit's ``photo_sha256`` beside it."""
    return CheckResult(
        kind=row["kind"],
        label=row["label"],
        method=row["method"],
        photo_sha256=row["photo_sha256"],
        model=mapping.model_ref_of(row),
        seed=row["seed"],
        settings=json.loads(row["settings"]),
        figures=json.loads(row["figures"], object_hook=_PRESENT),
        duration_ms=row["duration_ms"],
        created_at=row["created_at"],
    )
