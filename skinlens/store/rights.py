"""Rights in the store's door: what each public method of ``CaseStore`` needs, whoever calls it from wherever."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from functools import cache, wraps
from inspect import signature
from itertools import islice
from typing import Any, TypeVar

from skinlens.errors import NotAllowed
from skinlens.records import Status
from skinlens.roles import Right
from skinlens.store import database, mapping
from skinlens.store.chain import Object

Store = TypeVar("Store")

NEEDED: Mapping[str, Right] = {
    # What was derived from a photo can be derived again, and says nothing that a clinician said.
    **dict.fromkeys(("keep_features", "load_features", "forget_features"), "read"),
    # Of the installation: it keeps itself in order, and asks once whether its limits were read.
    **dict.fromkeys(("tidy", "check_writable", "note_loss", "accept_loss", "open_to_others"), "read"),
    "acknowledge_disclaimer": "read",
    # Every role may ask; what it is refused is noted.
    "must_be_allowed": "read",
    **dict.fromkeys(("save_case", "add_explanation", "add_checks", "keep_outlines"), "file"),
    **dict.fromkeys(("place_lesion", "set_phototype"), "file"),
    **dict.fromkeys(("note_filing", "filing_is_over"), "file"),
    **dict.fromkeys(("expect_photos", "keep_received", "received_filed", "discard_received", "pseudonym"), "file"),
    # What was signed needs more: see ``of_change``.
    **dict.fromkeys(("annotate", "close_recall"), "file"),
    "export_patient": "export",
    # Whoever opens or takes something away has that noted in their name, whatever their role.
    **dict.fromkeys(("note_view", "note_export", "note_drift_export"), "read"),
    **dict.fromkeys(("audit_entries", "audit_page", "audit_choices", "note_log_export"), "audit"),
    "accept_audit": "settings",
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
        *("exists", "last_backup", "lesion_numbers", "lesions", "load", "log_problem", "lost_files", "outcomes"),
        *("expects_photos", "received", "received_photo", "received_problems"),
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
_OF: Mapping[str, Object] = {"visit_id": "visit", "patient_id": "patient", "lesion_id": "lesion"}
"""First parameter of a method → what a refusal was about."""
_INSIDE: ContextVar[frozenset[int]] = ContextVar("inside", default=frozenset())
"""Stores one of whose methods is at work: what that one calls of its own store was allowed with it."""


def of_change(stored: Status, wanted: Status = "draft") -> Right:
    """Right that a change of a visit needs: of a draft that stays one, one to be signed, and one that was signed."""
    if stored != "draft":
        return "amend"
    return "file" if wanted == "draft" else "sign"


def checked(store: type[Store]) -> type[Store]:
    """Decorator of a store class, whose methods then ask first whether the actor's role has the right, note in the
    audit log what it is refused, and say in plain words what the disk, the database or the memory of the computer
    refuses.
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
        token = _INSIDE.set(_INSIDE.get() | {id(self)})
        try:
            self.must_be_allowed(right)
            return method(self, *given, **named)
        except NotAllowed as refusal:  # what it had begun to write is rolled back by now
            if not_noted := self._note_refusal(refusal.right, *_object_of(method, given, named)):
                raise NotAllowed(f"{refusal} {not_noted}", refusal.right) from refusal
            raise
        finally:
            _INSIDE.reset(token)

    return ask


def _object_of(method: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any]) -> tuple[Object, int | None]:
    """What a call was about, as of the audit log; the store where its first argument names no row."""
    name = _first_parameter(method)
    number = given[0] if given else named.get(name)
    if name not in _OF or not isinstance(number, int) or not mapping.is_number(number):
        return "store", None
    return _OF[name], number


@cache
def _first_parameter(method: Callable[..., Any]) -> str:
    """Name of the first parameter after ``self``; empty: there is none."""
    return next(islice(signature(method).parameters, 1, None), "")
