"""The photo that a tab's pages are about, stored or not, with all that was made and typed for it."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import WeakSet

import streamlit as st

from skinlens import pipeline
from skinlens.case_record import Analysis, CaseRecord
from skinlens.errors import Conflict
from skinlens.explain import CONTRAST_WITH, METHODS
from skinlens.labels import MELANOMA
from skinlens.records import Case, CheckResult, Explanation, Method, Outline, OutlineMaker, Target
from skinlens.roles import may
from skinlens.store import CaseStore, NewVisit
from skinlens.ui.state import cache
from skinlens.ui.state.draft_cache import new_token


@dataclass(eq=False)
class OpenCase:
    """The photo that the pages are about, stored or not."""

    analysis: Analysis
    case: Case | None = None
    """The stored case; None until it is saved."""
    saved_here: bool = False
    """Whether it was a new photo in this tab: its checks follow the maps by themselves, also once it is saved."""
    store: CaseStore | None = None
    """Store of the case, with the rights of whoever opened it here."""
    maps: list[Explanation] = field(default_factory=list)
    problems: tuple[str, ...] = ()
    """Stored maps that could not be read."""
    checks: list[CheckResult] = field(default_factory=list)
    """Results of the checks of the prediction and the maps; of a stored case, as they were stored."""
    outlines: tuple[Outline, ...] = ()
    """The model's, and the clinician's where it was corrected, as far as there are any."""
    impression: str | None = None
    """What the clinician said before the model's result was shown, one of ``labels.IMPRESSIONS``."""
    result_first: bool | None = None
    """Whether the result was shown before any impression was given; None: not known, or not shown yet."""
    revealed: bool = False
    """Whether the model's result was shown."""
    on_reveal: Callable[[], Callable[[str | None], None] | None] | None = None
    """Weak reference to what is told the impression once the result is shown, where a list holds the photo too."""
    label: str = ""
    """Code of the class that is explained."""
    contrast_with: str = ""
    """Code of the class that it is contrasted with; empty: none."""
    typed: Mapping[str, object] = field(default_factory=dict)
    """What stands in the form that keeps the case, by the keys of its fields."""
    remark: str = ""
    """Sentence above the form that keeps the case, on what is proposed in it; empty: nothing is."""
    typed_on: str = ""
    """Page whose form holds ``typed``; empty: none."""
    token: str = field(default_factory=new_token)
    """Part of the keys of its fields, so that no other photo shares them."""
    filled: dict[str, object] = field(default_factory=dict)
    """What the fields of a stored case began with, see ``drafts``."""
    tab: str = ""
    """Tab where it is open, see ``tabs.here``."""
    erased: bool = False
    """Whether it was erased for good: nothing of it may be shown any more."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def home(self) -> Path | None:
        """Folder of that store."""
        return None if self.store is None else self.store.home

    def __post_init__(self) -> None:
        with _ANYWHERE_LOCK:
            _ANYWHERE.add(self)

    @property
    def mm_per_px(self) -> float | None:
        """Scale of the photo, where the clinician entered it."""
        return None if self.case is None else self.case.visit.clinical.mm_per_px(self.analysis.photo.width_px)

    def record(self, stored: Case) -> CaseRecord:
        """Record of the case as it is open, with maps and outlines that may be newer than those that are stored."""
        with self._lock:
            return CaseRecord(stored, self.analysis.photo, tuple(self.maps), tuple(self.checks), self.outlines)

    def apart(self) -> "OpenCase":
        """Copy for another session, which from here on goes its own way."""
        with self._lock:
            return replace(self, maps=list(self.maps), checks=list(self.checks), tab="", _lock=threading.Lock())

    def key(self, name: str) -> str:
        """Key of one of its fields: no other photo has it, so nothing that was typed or chosen shows up there."""
        return f"case_{name}-{self.token}"

    @property
    def photo_sha256(self) -> str:
        return self.analysis.photo.sha256

    def reveal(self, impression: str | None) -> None:
        """Have the result shown, after this impression or none."""
        self.impression, self.result_first, self.revealed = impression, impression is None, True
        if self.on_reveal is not None and (tell := self.on_reveal()) is not None:
            tell(impression)

    @property
    def bytes(self) -> int:
        """Size in memory: the photo and the maps, which are nearly all of it."""
        return int(self.analysis.photo.pixels.nbytes + sum(explanation.heatmap.nbytes for explanation in self.maps))

    @property
    def gone(self) -> bool:
        """Whether it was erased, here or in any window: asked before anything of it is shown. Raises StoreError."""
        if not self.erased and self.case is not None and self.store is not None:
            self.erased = not self.store.exists(self.case.visit.id)
        return self.erased

    def keep(self, explanation: Explanation) -> None:
        """Take a new map in, and before that into the store if the case is stored, unless who opened it only reads: a
        map that is shown is stored, or its worker has told why not. Called by background workers.
        """
        with self._lock:
            try:
                if self.case is not None and self.store is not None and may(self.store.role, "file"):
                    self.store.add_explanation(self.case.visit.id, explanation)
            finally:
                others = [other for other in self.maps if _same_but_time(other) != _same_but_time(explanation)]
                self.maps = [*others, explanation]

    def keep_checks(self, checks: Sequence[CheckResult]) -> None:
        """Take new checks in, each in the place of the same one, and before that into the store if the case is stored,
        as ``keep`` does with a map. Called by background workers.
        """
        with self._lock:
            try:
                if self.case is not None and self.store is not None and may(self.store.role, "file"):
                    self.store.add_checks(self.case.visit.id, checks)
            finally:
                new = {check.identity for check in checks}
                self.checks = [check for check in self.checks if check.identity not in new] + list(checks)

    def checks_of(self, kind: str, label: str | None = None, method: str | None = None) -> tuple[CheckResult, ...]:
        """Checks of one kind, the oldest first; of one class and of one method's map alone where these are given."""
        return tuple(
            check
            for check in self.checks
            if check.kind == kind and label in {None, check.label} and method in {None, check.method}
        )

    def keep_outlines(self, outlines: Sequence[Outline]) -> None:
        """Replace the case's outlines, also in the store if the case is stored.

        Raises:
            Conflict: another window stored other outlines; the open case has these from here on.
        """
        with self._lock:
            if self.case is not None and self.store is not None:
                store, number = self.store, self.case.visit.id
                try:
                    store.keep_outlines(number, outlines, expected=self.outlines)
                except Conflict:
                    self.outlines = store.outlines(number)
                    raise
            self.outlines = tuple(outlines)

    @property
    def outline(self) -> Outline | None:
        """The clinician's, otherwise the model's."""
        return self.outline_by("clinician") or self.outline_by("model")

    def outline_by(self, maker: OutlineMaker) -> Outline | None:
        return next((outline for outline in self.outlines if outline.made_by == maker), None)

    def save(self, store: CaseStore, visit: NewVisit) -> Case:
        """Store the case with all maps and checks so far, and the impression; later ones follow by themselves."""
        with self._lock:
            said = replace(visit, first_impression=self.impression, result_first=self.result_first)
            self.case = store.save_case(self.analysis, said, self.maps, self.checks, self.outlines)
            self.store, self.saved_here = store, True
            return self.case

    def map_of(self, method: Method, params: Mapping[str, object]) -> Explanation | None:
        """The map of what is explained: with these settings, otherwise the latest there is."""
        resolved = METHODS[method].resolve_params(with_target(params, self.target), self.analysis.photo)
        explanations = [
            explanation
            for explanation in self.maps
            if explanation.method == method and explanation.target == self.target
        ]
        exact = [explanation for explanation in explanations if dict(explanation.params) == resolved]
        suiting = exact or ([] if params else explanations)
        return suiting[-1] if suiting else None

    @property
    def target(self) -> Target:
        """Target of the explanation."""
        return Target(self.label, self.contrast_with)

    @property
    def synthetic(self) -> bool:
        """The drawn example, not a patient; also when it comes back from the store."""
        return self.analysis.photo.source_format == pipeline.DRAWN

    @property
    def by_todays_model(self) -> bool:
        """Whether the installed model made the prediction, and the photo is there; only then it may explain it."""
        model = cache.installed()
        there = not self.analysis.photo.placeholder
        return there and model is not None and self.analysis.prediction.model.sha256 == model.engine.model_ref.sha256


def with_target(params: Mapping[str, int | str] | Mapping[str, object], target: Target) -> dict[str, object]:
    """The settings as ``explain`` takes them, with the class that the explained one is contrasted with."""
    return {**params, CONTRAST_WITH: target.contrast_with} if target.contrast_with else dict(params)


def _same_but_time(explanation: Explanation) -> tuple[object, ...]:
    return explanation.method, explanation.label, dict(explanation.params), explanation.model


_ANYWHERE: WeakSet[OpenCase] = WeakSet()
_ANYWHERE_LOCK = threading.Lock()


def open_anywhere() -> list[OpenCase]:
    """Cases open in any tab of this server, and those held for reloaded pages."""
    with _ANYWHERE_LOCK:
        return list(_ANYWHERE)


def put_back(opened: OpenCase, here: str) -> None:
    """Fill its fields with what was typed: Streamlit empties them when the page is changed or reloaded.

    ``here`` is where the fields are about to be drawn.
    """
    if opened.typed_on != here:
        for key, value in opened.typed.items():
            st.session_state[key] = value
        opened.typed_on = here


def take_down(opened: OpenCase) -> None:
    """Note what stands in its fields, for ``put_back``."""
    now = {str(key): value for key, value in st.session_state.items()}
    mine = {key: value for key, value in now.items() if key.startswith("case_") and key.endswith(f"-{opened.token}")}
    opened.typed = {**opened.typed, **mine}


def labels_first(opened: OpenCase) -> tuple[str, ...]:
    """Melanoma and the most probable class: one click away."""
    return tuple(dict.fromkeys((opened.analysis.prediction.top.code, MELANOMA)))
