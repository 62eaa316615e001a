"""Rights in the store's door: what each public method of ``CaseStore`` needs, whoever calls it from wherever."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import wraps
from typing import Any, TypeVar

from skinlens.records import Status
from skinlens.roles import Right
from skinlens.store import database

Store = TypeVar("Store")

NEEDED: Mapping[str, Right] = {
    # What was derived from a photo can be derived again, and says nothing that a clinician said.
    **dict.fromkeys(("keep_features", "load_features", "forget_features"), "read"),
    # Of the installation: it keeps itself in order, and asks once whether its limits were read.
    **dict.fromkeys(("tidy", "check_writable", "note_loss", "accept_loss", "open_to_others"), "read"),
    "acknowledge_disclaimer": "read",
    **dict.fromkeys(("save_case", "add_explanation", "add_checks", "keep_outlines"), "file"),
    **dict.fromkeys(("place_lesion", "set_phototype"), "file"),
    **dict.fromkeys(("note_filing", "filing_is_over"), "file"),
    **dict.fromkeys(("expect_photos", "keep_received", "received_filed", "discard_received"), "file"),
    # What was signed needs more: see ``of_change``.
    **dict.fromkeys(("annotate", "close_recall"), "file"),
    "export_patient": "export",
    # Whoever opens or takes something away has that noted in their name, whatever their role.
    **dict.fromkeys(("note_view", "note_export", "note_drift_export"), "read"),
    **dict.fromkeys(("audit_entries", "audit_page", "audit_choices", "note_log_export", "accept_audit"), "settings"),
    "note_export_of_many": "export",
    # An account's own sign-in is noted in its name, whatever its role.
    **dict.fromkeys(("note_account", "note_token"), "read"),
    **dict.fromkeys(("move_case", "edit_patient", "edit_lesion"), "move"),
    **dict.fromkeys(("delete_visit", "delete_patient"), "erase"),
    **dict.fromkeys(("keep_settings", "keep_rescored", "note_rescoring"), "settings"),
    **dict.fromkeys(("back_up", "note_backup_export"), "back up"),
}
"""Every method that writes, or hands out more than a page shows. All others read."""
READING: frozenset[str] = frozenset(
    {
        *("body_sites", "case", "audit_head", "cases_with_photo", "damage", "disclaimer_acknowledged_at"),
        *("exists", "last_backup", "lesions", "load", "log_problem", "lost_files", "must_be_allowed", "outcomes"),
        *("expects_photos", "received", "received_photo"),
        *("outlines", "patient", "patient_page", "patients", "photo", "revisions", "search", "setting", "settings"),
        *(
            "signers_used",
            "similar_cases",
            "verify_audit",
            "visit_numbers",
            "visit_photos",
            "thumbnails",
            "unfinished_erasure",
            "unfinished_filings",
        ),
        *("unknown_files", "visit_before", "visits_of_lesion", "visits_of_patient", "visits_without_features"),
        *("verify_audit", "work_times", "visits_to_score", "rescored", "rescored_releases", "rescored_pairs"),
    }
)
"""Methods that every role may call. A method that is in neither list fails a test."""
_INSIDE: ContextVar[frozenset[int]] = ContextVar("inside", default=frozenset())
"""Stores one of whose methods is at work: what that one calls of its own store was allowed with it."""


def of_change(stored: Status, wanted: Status = "draft") -> Right:
    """Right that a change of a visit needs: of a draft that stays one, one to be signed, and one that was signed."""
    if stored != "draft":
        return "amend"
    return "file" if wanted == "draft" else "sign"


def checked(store: type[Store]) -> type[Store]:
    """The same class, whose methods ask first whether the actor's role has the right, and say in plain words what the
    disk, the database or the memory of the computer refuses.
    """
    for name in NEEDED.keys() | READING:
        setattr(store, name, _plain(getattr(store, name)))
    for name, right in NEEDED.items():
        setattr(store, name, _asking(getattr(store, name), right))
    return store


def _plain(method: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(method)
    def call(self: Any, *given: Any, **named: Any) -> Any:
        with database.plain_errors(self.home):
            return method(self, *given, **named)

    return call


def _asking(method: Callable[..., Any], right: Right) -> Callable[..., Any]:
    @wraps(method)
    def ask(self: Any, *given: Any, **named: Any) -> Any:
        if id(self) in _INSIDE.get():
            return method(self, *given, **named)
        self.must_be_allowed(right)
        token = _INSIDE.set(_INSIDE.get() | {id(self)})
        try:
            return method(self, *given, **named)
        finally:
            _INSIDE.reset(token)

    return ask
