"""Manifest schema: what a release's manifest must contain, and which release this version was made with.

The manifest holds the cut-offs and the hashes of all other files, so it is what everything else hangs on: one number in
it makes a reading wrong without a word. ``bundled_release.json`` stands with the code and names the one that ships.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from skinlens.errors import WeightsError
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.patient_context import FEATURES
from skinlens.labels import CODES
from skinlens.wording.errors import RESTORE_MANIFEST

BUNDLED_RELEASE = Path(__file__).with_name("bundled_release.json")
"""Written by ``write_manifest`` whenever the folder that ships gets a new manifest."""
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
SHA256 = re.compile(r"[0-9a-f]{64}")


OLD_KEYS: tuple[tuple[str, str], ...] = (
    ("familiarity", "ood"),
    ("made_with", "versions"),
    ("taught_by", "teachers"),
    ("prediction_set.floors", "class_thresholds"),
)
"""Path of a key in manifests up to 0.4.0 → its name now, on the same level."""


def current(content: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a manifest under the keys of this version, whichever wrote it."""
    renamed: dict[str, Any] = json.loads(json.dumps(content))
    for path, new in OLD_KEYS:
        *way, old = path.split(".")
        level = _at(renamed, *way) if way else renamed
        if isinstance(level, dict) and old in level:
            level.setdefault(new, level.pop(old))
    return renamed


def digest(content: Mapping[str, Any]) -> str:
    """SHA-256 of what a manifest says, however it is laid out."""
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


def bundled_digest() -> str:
    return str(json.loads(BUNDLED_RELEASE.read_text(encoding="utf-8"))["manifest_sha256"])


def bundled_release(content: Mapping[str, Any]) -> dict[str, Any]:
    """Content of ``BUNDLED_RELEASE`` where this manifest is the one that ships."""
    return {"version": content["version"], "manifest_sha256": digest(content)}


# ------------------------------------------------------------------------------------------------ what it must say

Test = Callable[[Any], bool]


def _number(low: float, high: float, *, open_ends: bool = False) -> Test:
    def holds(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return low < value < high if open_ends else low <= value <= high

    return holds


def _text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _file(value: Any) -> bool:
    return isinstance(value, str) and FILE_NAME.fullmatch(value) is not None


SHARE, INNER, POSITIVE = _number(0, 1), _number(0, 1, open_ends=True), _number(0, 1e6, open_ends=True)
SHARE_IN_WORDS, INNER_IN_WORDS = "a number from 0 to 1", "a number between 0 and 1"
MUST: tuple[tuple[str, str, Test], ...] = (
    ("name", "a text", _text),
    ("version", "a text", _text),
    ("backbones.int8", "a file's name", _file),
    ("head", "a file's name", _file),
    ("ood", "a file's name", _file),
    ("temperature", "a positive number", POSITIVE),
    ("melanoma_threshold.value", INNER_IN_WORDS, INNER),
    ("melanoma_threshold.sensitivity", SHARE_IN_WORDS, SHARE),
    ("melanoma_threshold.specificity", SHARE_IN_WORDS, SHARE),
    ("melanoma_threshold.chosen_on", "a text", _text),
)
MAY: tuple[tuple[str, str, Test], ...] = (
    ("prediction_set.level", INNER_IN_WORDS, INNER),
    *((f"prediction_set.class_thresholds.{code}", SHARE_IN_WORDS, SHARE) for code in CODES),
    ("prediction_set.calibrated_on", "a text", _text),
    ("prediction_set.half_sha256", "a SHA-256", lambda value: SHA256.fullmatch(str(value)) is not None),
    *((f"exits.{name}.temperature", "a positive number", POSITIVE) for name in ("exit_1", "exit_2")),
    *((f"exits.{name}.balanced_accuracy", SHARE_IN_WORDS, SHARE) for name in ("exit_1", "exit_2")),
    ("patient_context.weight", SHARE_IN_WORDS, SHARE),
    ("patient_context.fitted_on", "a text", _text),
    *((f"patient_context.prior.{code}", INNER_IN_WORDS, INNER) for code in CODES),
    *(
        (f"patient_context.coefficients.{name}.{code}", "a number", _number(-1e3, 1e3))
        for name in FEATURES
        for code in CODES
    ),
    ("outline.file", "a file's name", _file),
    ("outline.backbone_sha256", "a SHA-256", lambda value: SHA256.fullmatch(str(value)) is not None),
    ("checkpoint", "a file's name", _file),
    ("turns", "1 or 4", lambda value: value in {1, 4} and not isinstance(value, bool)),
)
"""Held to where the release has the part before the first dot: earlier releases lack some."""
NAMED_FILES = ("backbones.int8", "head", "ood", "checkpoint", "outline.file")


def check(content: Mapping[str, Any], path: Path) -> None:
    """Refuse a manifest that does not say what this version needs, or says what cannot be.

    Raises:
        WeightsError: names the first key that is wrong.
    """
    if tuple(content.get("labels") or ()) != CODES:
        raise WeightsError(f"{path}: expected the classes {CODES}, found {content.get('labels')}.")
    for key, wanted, holds in (*MUST, *(rule for rule in MAY if rule[0].partition(".")[0] in content)):
        value = _at(content, key)
        if not holds(value):
            raise _wrong(path, key, wanted, value)
    for name in [_at(content, key) for key in NAMED_FILES if _at(content, key) is not None]:
        sha256 = _at(content, "files", name, "sha256")
        if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
            raise _wrong(path, f"files.{name}.sha256", "a SHA-256", sha256)
    for name in content["files"]:
        if not _file(name):
            raise _wrong(path, "files", "names of files in this folder", name)
    _check_input(content.get("input"), path)


def _check_input(settings: Any, path: Path) -> None:
    known = {field.name for field in fields(InputSpec)}
    if not isinstance(settings, Mapping) or not set(settings) <= known:
        raise _wrong(path, "input", f"an object with keys of {sorted(known)}", settings)
    for key, value in settings.items():
        if key == "detail_jpeg_quality" and value == 0:  # no compression
            continue
        numbers = value if isinstance(value, list) else [value]
        if len(numbers) != (3 if key in {"mean", "std"} else 1) or not all(POSITIVE(number) for number in numbers):
            raise _wrong(path, f"input.{key}", "a positive number, or three of them for mean and std", value)


def _at(content: Any, *keys: str) -> Any:
    """Value at a key, or at the end of a path of keys; a single key may hold the path with dots. None: no value."""
    for key in keys[0].split(".") if len(keys) == 1 else keys:
        content = content.get(key) if isinstance(content, Mapping) else None
    return content


def _wrong(path: Path, key: str, wanted: str, value: Any) -> WeightsError:
    return WeightsError(
        f"{path} cannot be used: expected {wanted} at {key}, found {str(value)[:80]!r}. {RESTORE_MANIFEST}"
    )
