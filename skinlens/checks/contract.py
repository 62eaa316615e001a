"""Contract of a check: its words, what it is computed from, and how its result reads in a table and in a sentence.

A check is a class in a file of its own below ``checks``, derived from ``PhotoCheck`` or ``MapCheck``, and a line in
``checks.registry``. Page, report, export and audit log draw from that: ``docs/how-to/add-a-check.md``.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary, ref

import numpy as np

from skinlens import clock
from skinlens.errors import SkinLensError
from skinlens.explain import CONTRAST_WITH, METHODS
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Explanation, ModelRef, Outline, Photo, Progress, Target

Row = tuple[str, ...]
NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False)
class Subject:
    """Subject of a check: a photo, the model that read it, and maps and outline as far as a check needs them."""

    classifier: Classifier
    photo: Photo
    maps: tuple[Explanation, ...] = ()
    """Maps of this photo, by this model; none of them the same everywhere."""
    outline: Outline | None = None
    """The clinician's, otherwise the model's."""


class Found(NamedTuple):
    """Measurement of a check. Small figures, never an array: only what JSON holds."""

    figures: Mapping[str, Any]
    settings: Mapping[str, Any] = NONE
    """All of the check's own that has to be the same to get the same figures; the map's settings are added."""
    seed: int | None = None
    """None where nothing is random."""


class Check(ABC):
    """One way to put a result or its maps to the test."""

    kind: ClassVar[str]
    """Name in stored cases, in the audit log and in exports: chosen once, never changed."""
    title: ClassVar[str]
    """The field's term, as the page and the report print it."""
    question: ClassVar[str]
    """What it asks, in words that need no explanation."""
    help: ClassVar[str]
    """How it is done and how its figures are read, in Markdown."""
    button: ClassVar[str] = ""
    """What asks for it, e.g. "Check the maps against the model"."""
    hint: ClassVar[str] = ""
    """A sentence before the button: what it answers, and how long it takes."""
    columns: ClassVar[Row] = ()
    """Heads of its table; empty: it has none."""
    version: ClassVar[int] = 1
    """Counted up when the same settings give other figures; from 2 on it stands in the settings, so that a result by
    the earlier way is shown, and can be made anew. ``rows`` and ``summary`` read the results of every version."""
    label: ClassVar[str] = ""
    """Class code that it is about where it is about no map."""
    instant: ClassVar[bool] = False
    """Whether it takes so little that it is made for a new photo at sight; all others run in the background."""
    in_line: ClassVar[bool] = False
    """Whether it has a part in the line above the maps; for a new photo it is then made by itself."""
    wide: ClassVar[bool] = False
    """Whether it needs the page's whole width; others stand two by two."""
    of_model: ClassVar[bool] = False
    """Whether it says more of the model than of the case: it stands on the page "Performance"."""

    @abstractmethod
    def compute(self, subject: Subject, progress: Progress | None = None) -> tuple[CheckResult, ...]:
        """Run the check. ``progress`` is told the fraction done, 0 to 1. Raises SkinLensError, Cancelled."""

    @abstractmethod
    def summary(self, result: CheckResult) -> str:
        """One result in one or two sentences, for the report and the export."""

    def rows(self, results: Sequence[CheckResult]) -> list[Row]:  # noqa: ARG002  of a check with a table
        """Rows of its table: as many cells in a row as it has ``columns``."""
        return []

    def note(self, results: Sequence[CheckResult]) -> str:  # noqa: ARG002  of a check with a note
        """Note below the table."""
        return ""

    def current(self, result: CheckResult) -> bool:
        """Whether it was found in the way of today's version."""
        return bool(result.settings.get("version", 1) == self.version)

    def claim(self, results: Sequence[CheckResult]) -> str:
        """Part of the line above the maps that this check contributes; with ``in_line`` alone."""
        raise NotImplementedError(f"{self.kind}: a check with in_line needs a claim")

    def made(
        self, finding: Found, of: tuple[str, ModelRef], duration_ms: float, explanation: Explanation | None = None
    ) -> CheckResult:
        """Record of a finding. ``of``: hash of the photo, and the model; ``explanation``: the map that it is about."""
        of_map = {"map": dict(explanation.params)} if explanation else {}
        return CheckResult(
            kind=self.kind,
            label=explanation.label if explanation else self.label,
            method=explanation.method if explanation else "",
            photo_sha256=of[0],
            model=of[1],
            seed=finding.seed,
            settings=of_map | dict(finding.settings) | ({"version": self.version} if self.version > 1 else {}),
            figures=dict(finding.figures),
            duration_ms=duration_ms,
            created_at=clock.utc_now(),
        )


class PhotoCheck(Check):
    """A check of the result for a photo, whatever maps there are."""

    @abstractmethod
    def measure(self, subject: Subject, progress: Progress) -> Found:
        """Measurement of ``subject.photo``, or of one of ``subject.maps``."""

    def compute(self, subject: Subject, progress: Progress | None = None) -> tuple[CheckResult, ...]:
        report_progress = progress or (lambda _: None)
        report_progress(0.0)
        started = time.perf_counter()
        finding = self.measure(subject, report_progress)
        report_progress(1.0)
        return (self.made(finding, _origin(subject), _since(started)),)


_COMPARED: WeakKeyDictionary[Explanation, dict[str, tuple[tuple["ref[Explanation]", ...], CheckResult]]] = (
    WeakKeyDictionary()
)
"""Last of the maps → kind → the maps and the check's results; gone with the map."""


class Comparison(Check):
    """A check of two or more maps together: made in milliseconds, kept as long as its maps are, and never stored."""

    @abstractmethod
    def compare(self, maps: Sequence[Explanation]) -> Found:
        """Measurement of maps of one photo. Raises SkinLensError where they cannot be compared."""

    def of(self, maps: Sequence[Explanation]) -> CheckResult:
        """Result of the comparison of one or more maps. The same maps are compared once: a page asks at each look."""
        known = _COMPARED.setdefault(maps[-1], {})
        if self.kind in known and [still() for still in known[self.kind][0]] == list(maps):
            return known[self.kind][1]
        started = time.perf_counter()
        result = self.made(self.compare(maps), (maps[0].photo_sha256, maps[0].model), _since(started))
        known[self.kind] = tuple(map(ref, maps)), result
        return result

    def compute(self, subject: Subject, progress: Progress | None = None) -> tuple[CheckResult, ...]:  # noqa: ARG002
        return (self.of(subject.maps),)


class OfMaps(Check):
    """A check with a result for each map, one in a row."""

    @abstractmethod
    def row(self, result: CheckResult) -> Row:
        """The cells beside the name of the map: as many as ``columns`` but the first."""

    def rows(self, results: Sequence[CheckResult]) -> list[Row]:
        return [(METHODS[result.method].title, *self.row(result)) for result in results if result.method]


class MapCheck(OfMaps):
    """A check that each map is put to by itself."""

    needs_outline: ClassVar[bool] = False
    """Whether it needs the lesion's outline, which then is one of the result's settings."""

    @abstractmethod
    def measure(self, subject: Subject, explanation: Explanation, progress: Progress) -> Found:
        """Measurement of ``subject.photo``, or of one of ``subject.maps``."""

    def compute(self, subject: Subject, progress: Progress | None = None) -> tuple[CheckResult, ...]:
        """Results, one for each map, none of which may be the same everywhere; each has an equal share of the time."""
        report_progress = progress or (lambda _: None)
        own = {}
        if self.needs_outline:
            own = {"outline": outline_settings(_outline_of(subject))}
        made = []
        for place, explanation in enumerate(subject.maps):
            require_checkable(subject, explanation)
            report_progress(place / len(subject.maps))
            started = time.perf_counter()
            finding = self.measure(
                subject,
                explanation,
                lambda part, place=place: report_progress((place + part) / len(subject.maps)),  # type: ignore[misc]
            )
            finding = finding._replace(settings=own | dict(finding.settings))
            made.append(self.made(finding, _origin(subject), _since(started), explanation))
        report_progress(1.0)
        return tuple(made)


def require_same_origin(subject: Subject, explanation: Explanation) -> None:
    """Refuse a map that is of another photo or another model.

    Raises:
        SkinLensError: with what was expected and found.
    """
    title = METHODS[explanation.method].title
    for what, expected, actual in (
        ("photo", subject.photo.sha256, explanation.photo_sha256),
        ("model", subject.classifier.engine.model_ref.sha256, explanation.model.sha256),
    ):
        if expected != actual:
            raise SkinLensError(
                f"{title} cannot be checked: expected a map of the {what} {expected[:12]}…, found one of "
                f"{actual[:12]}…. Make the map anew."
            )


def require_checkable(subject: Subject, explanation: Explanation) -> None:
    """Refuse a map of another photo or model, as ``require_same_origin``, and one that points nowhere."""
    require_same_origin(subject, explanation)
    if np.ptp(explanation.heatmap) == 0:
        title = METHODS[explanation.method].title
        raise SkinLensError(f"{title} cannot be checked: its map is the same everywhere, so it points nowhere.")


def outline_settings(outline: Outline) -> dict[str, Any]:
    """Identity of an outline, ready for JSON."""
    return {"made_by": outline.made_by, "points": [list(point) for point in outline.points]}


def target_of(result: CheckResult) -> Target:
    """Target of the map that was tested. The result must be about a class."""
    return Target(result.label, str(result.settings.get("map", {}).get(CONTRAST_WITH, "")))


def _outline_of(subject: Subject) -> Outline:
    outline, expected = subject.outline, subject.photo.sha256
    if outline is None:
        raise SkinLensError("This needs the outline of the lesion, and there is none. Draw one over the photo.")
    if outline.photo_sha256 != expected:
        raise SkinLensError(
            f"The maps cannot be checked: expected the outline of the photo {expected[:12]}…, found that of "
            f"{outline.photo_sha256[:12]}…. Draw the outline anew."
        )
    return outline


def _origin(subject: Subject) -> tuple[str, ModelRef]:
    return subject.photo.sha256, subject.classifier.engine.model_ref


def _since(started: float) -> float:
    """Milliseconds."""
    return (time.perf_counter() - started) * 1000
