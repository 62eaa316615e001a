"""Filing of many photos that is under way: noted, so that the next start can say how far it came if the app was ended.

A note has the count of photos and the numbers of the cases, nothing of the photos and nothing of what was typed.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass

from skinlens.store import mapping, settings
from skinlens.store.connection import StoreHome

_PREFIX = "filing:"
# The photo that was being saved when the app ended may be a case already: the next number after those before it.
_MADE_SQL = """
    SELECT id FROM visit WHERE id IN (SELECT value FROM json_each(?))
    UNION SELECT * FROM (SELECT id FROM visit WHERE id > ? ORDER BY id LIMIT 1)"""


@dataclass(frozen=True)
class UnfinishedFiling:
    """Photos of which an end of the app kept some from being filed."""

    token: str
    total: int
    visit_ids: tuple[int, ...]
    """The cases that were made, as far as they are still stored."""


class StoredFilings(StoreHome):
    """The part of ``CaseStore`` that notes how far a filing has come."""

    def note_filing(self, token: str, total: int, visit_ids: Collection[int]) -> None:
        """Note, before each photo of a filing, that so many were to be filed, and that these are the cases so far."""
        with self._writing() as db:
            last = mapping.first(db, "SELECT coalesce(max(id), 0) AS last FROM visit", [])
            note = {"total": total, "visit_ids": sorted(visit_ids), "before": last["last"] if last else 0}
            settings.put(db, f"{_PREFIX}{token}", json.dumps(note))

    def filing_is_over(self, token: str) -> None:
        """Delete the note of a filing whose outcome was shown."""
        with self._writing() as db:
            db.execute("DELETE FROM setting WHERE key = ?", [f"{_PREFIX}{token}"])

    def unfinished_filings(self, under_way: Collection[str] = ()) -> tuple[UnfinishedFiling, ...]:
        """Filings that are noted, the oldest first, but for the ``under_way``."""
        with self._reading() as db:
            rows = db.query("SELECT key, value FROM sealed_setting WHERE key LIKE ? AND sound ORDER BY updated_at",
                             [f"{_PREFIX}%"])  # fmt: skip
            notes = [(row["key"].removeprefix(_PREFIX), json.loads(row["value"])) for row in rows]
            made = []
            for token, note in notes:
                if token in under_way:
                    continue
                numbers = db.query(_MADE_SQL, [json.dumps(note["visit_ids"]), note["before"]])
                made.append(UnfinishedFiling(token, note["total"], tuple(sorted(row["id"] for row in numbers))))
            return tuple(made)
