"""Settings in the case file: checked as they are typed, and merged with what another window saved meanwhile."""

import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar, get_args

from sqlite_utils.db import Database

from skinlens.clinical import FIELD_WIDTH_MM
from skinlens.dicom_uid import UUID_ROOT
from skinlens.errors import InvalidEntry
from skinlens.formatting import Unit, in_both_units
from skinlens.settings import BACKUP_DAYS, MAX_UID_ROOT, Overlay, Settings
from skinlens.store import chain, mapping, validation
from skinlens.store.connection import StoreHome
from skinlens.store.mapping import Setting

Choice = TypeVar("Choice", str, int)
KEY = "settings"
_UID_ROOT = re.compile(r"[0-2](?:\.(?:0|[1-9][0-9]*))+")
MAX_SIGNERS = 40
MAX_ADDRESS_LINES = 5
NAMES: Mapping[str, str] = {
    "clinic_name": "clinic's name",
    "clinic_address": "clinic's address",
    "clinic_phone": "clinic's phone",
    "signers": "names of who signs",
    "cutoff_shown": "figures beside the verdict",
    "impression_first": "impression before the result",
    "overlay": "map over the photo",
    "unit": "unit of lengths",
    "field_width_mm": "width of the field of view",
    "backup_days": "days after which a backup is asked for",
    "dicom_uid_root": "root of DICOM identifiers",
}
"""Each field in words."""

# The index alone answers it; the seals of all signed rows would take seconds, and every start checks them.
_USED_SQL = """
    SELECT signed_by, count(*) AS cases FROM visit WHERE signed_by <> ''
    GROUP BY signed_by ORDER BY max(signed_at) DESC"""


@dataclass(frozen=True)
class KeptSettings:
    """Settings after a save."""

    settings: Settings
    replaced: Mapping[str, Any]
    """Field → what another window had saved there since the fields were read, and this save took the place of."""


@dataclass(frozen=True)
class Signer:
    """A name that signed cases bear."""

    name: str
    cases: int


class StoredSettings(StoreHome):
    """The part of ``CaseStore`` that keeps what belongs to the installation as a whole."""

    def setting(self, key: str) -> Setting | None:
        with self._reading() as db:
            return find(db, key)

    def settings(self) -> Settings:
        """Settings as they are stored; the default of each field that is not."""
        with self._reading() as db:
            return stored(db)

    def keep_settings(self, wanted: Settings, *, read: Settings) -> KeptSettings:
        """Save the fields in which ``wanted`` differs from ``read``, which was shown when they were changed.

        The other fields stay as they are stored now, whoever saved them. Of two windows that change one field the
        later wins, and is told what was there. Raises InvalidEntry, which names every entry that cannot be kept.
        """
        wanted = checked(wanted)
        mine = [field.name for field in fields(Settings) if getattr(wanted, field.name) != getattr(read, field.name)]
        with self._writing() as db:
            before = stored(db)
            changed = _changed(before, {name: getattr(wanted, name) for name in mine})
            put(db, KEY, mapping.to_json(asdict(changed)))
            if changed != before:
                chain.append(db, "edited", "settings")
        others = {name: getattr(before, name) for name in mine}
        replaced = {
            name: value
            for name, value in others.items()
            if value != getattr(read, name) and value != getattr(wanted, name)
        }
        return KeptSettings(changed, replaced)

    def signers_used(self) -> tuple[Signer, ...]:
        """The names that signed cases bear, the one that signed last first."""
        with self._reading() as db:
            return tuple(Signer(row["signed_by"], row["cases"]) for row in db.query(_USED_SQL))


def put(db: Database, key: str, value: str) -> None:
    """Set a value of the installation, with the time."""
    db.execute(
        "INSERT OR REPLACE INTO setting (key, value, updated_at) VALUES (?, ?, ?)", [key, value, validation.now()]
    )


def find(db: Database, key: str) -> Setting | None:
    """None where it was never set, or its row is damaged."""
    row = mapping.first(db, "SELECT * FROM sealed_setting WHERE key = ?", [key])
    return None if row is None or not row["sound"] else Setting(row["value"], row["updated_at"])


def stored(db: Database) -> Settings:
    """Settings as they are stored; the default of each field that is not, or that this version does not allow."""
    row = find(db, KEY)
    content = json.loads(row.value) if row else {}
    settings = Settings()
    for name in (field.name for field in fields(Settings)):
        if name in content:
            value: Any = tuple(content[name]) if isinstance(content[name], list) else content[name]
            try:  # what another version allowed and this one does not is as if it were not set
                settings = checked(_changed(settings, {name: value}))
            except (InvalidEntry, TypeError, AttributeError):
                continue
    return settings


def _changed(settings: Settings, values: Mapping[str, Any]) -> Settings:
    return replace(settings, **values)


def checked(settings: Settings) -> Settings:
    """The settings as they are kept: trimmed and composed.

    Raises:
        InvalidEntry: it has a sentence for each entry that cannot be kept.
    """
    problems: list[str] = []
    values: dict[str, Any] = {}
    for name in (field.name for field in fields(Settings)):
        try:
            values[name] = _CHECKS[name](getattr(settings, name))
        except InvalidEntry as error:
            problems.append(str(error))
    if problems:
        raise InvalidEntry(" ".join(problems))
    return Settings(**values)


def optional_line(value: str, field: str) -> str:
    """One line of at most 80 characters, or nothing."""
    return validation.validate_line(value, field) if value.strip() else ""


def _address(value: str) -> str:
    lines = [
        " ".join(line.split())
        for line in unicodedata.normalize("NFC", validation.validate_text(value, "address")).splitlines()
    ]
    lines = [line for line in lines if line]
    if len(lines) > MAX_ADDRESS_LINES:
        raise InvalidEntry(
            f"Too many lines in the address: {len(lines)}, at most {MAX_ADDRESS_LINES} can be kept. Join some of them."
        )
    for line in lines:
        validation.validate_line(line, "address")
    return "\n".join(lines)


def _signers(names: tuple[str, ...]) -> tuple[str, ...]:
    if len(names) > MAX_SIGNERS:
        raise InvalidEntry(f"Too many names of who signs: {len(names)}, at most {MAX_SIGNERS} can be kept.")
    signers = tuple(validation.validate_line(name, "name of who signs") for name in names)
    for place, name in enumerate(signers):
        if name.casefold() in {signer.casefold() for signer in signers[:place]}:
            raise InvalidEntry(f"“{name}” is in the list of who signs already.")
    return signers


def _uid_root(value: str) -> str:
    root = value.strip() or UUID_ROOT
    if root != UUID_ROOT and (len(root) > MAX_UID_ROOT or not _UID_ROOT.fullmatch(root)):
        raise InvalidEntry(
            f"“{root[:80]}” is no root of DICOM identifiers: expected numbers joined by points, none with a zero "
            f"before it, at most {MAX_UID_ROOT} characters, as 1.2.826.0.1.3680043.10.1234. Leave it empty for "
            f"{UUID_ROOT}, which needs no registration."
        )
    return root


def _one_of(value: Choice, known: tuple[Choice, ...], what: str) -> Choice:
    if value not in known:
        raise InvalidEntry(f"{value!r} is no {what}. Choose one of: {', '.join(map(str, known))}.")
    return value


def _field_width(value: float | None) -> float | None:
    if value is None:
        return None
    least, most = FIELD_WIDTH_MM
    if not math.isfinite(value):
        raise InvalidEntry(f"{value!r} is no width of a field of view. Expected millimeters, or nothing.")
    if not least <= value <= most:
        raise InvalidEntry(
            f"A field of view {in_both_units(value)} wide is not possible: expected {in_both_units(least)} to "
            f"{in_both_units(most)}, or nothing. It is the width of what the whole photo shows, to be read from a "
            "ruler in a photo of it."
        )
    return float(value)


_CHECKS: Mapping[str, Any] = {
    "clinic_name": lambda value: optional_line(value, "clinic's name"),
    "clinic_address": _address,
    "clinic_phone": lambda value: optional_line(value, "clinic's phone"),
    "signers": _signers,
    "cutoff_shown": bool,
    "impression_first": bool,
    "overlay": lambda value: _one_of(value, get_args(Overlay), "map over the photo"),
    "unit": lambda value: _one_of(value, get_args(Unit), "unit of lengths"),
    "field_width_mm": _field_width,
    "backup_days": lambda value: _one_of(value, BACKUP_DAYS, "number of days after which a backup is asked for"),
    "dicom_uid_root": _uid_root,
}
