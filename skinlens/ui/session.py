"""What one browser session holds: the open case, its maps, and the work in progress. It outlives page switches."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from weakref import WeakSet

import streamlit as st

from skinlens import pipeline
from skinlens.errors import CaseNotFound, Conflict, SkinLensError, StoreError
from skinlens.explain import AGAINST, METHODS
from skinlens.labels import MELANOMA
from skinlens.pipeline import Analysis
from skinlens.predict import Classifier
from skinlens.records import Case, Check, Explanation, Method, Outline, OutlineMaker, Target
from skinlens.store import CaseStore
from skinlens.ui import cache, tabs
from skinlens.ui.jobs import Desk, Job
from skinlens.ui.unsaved import Holder, new_token

_OPEN, _DESK, _PARAMS, _SAID, _TOKEN = "open_case", "desk", "map_params", "message", "photo_token"
_IN_HISTORY = "history_case"


@dataclass(eq=False)
class OpenCase:
    """The photo that the pages are about, stored or not."""

    analysis: Analysis
    case: Case | None = None
    """Once it is stored."""
    home: Path | None = None
    """Of the store that holds it."""
    maps: list[Explanation] = field(default_factory=list)
    problems: tuple[str, ...] = ()
    """Stored maps that could not be read."""
    checks: list[Check] = field(default_factory=list)
    """What was found about the prediction and the maps; those of a stored case as they were stored."""
    outlines: tuple[Outline, ...] = ()
    """The model's, and the clinician's where it was corrected, as far as there are any."""
    impression: str | None = None
    """What the clinician said before the model's reading was shown, one of ``labels.IMPRESSIONS``."""
    revealed: bool = False
    """Whether the model's reading was shown."""
    label: str = ""
    """Class that is explained."""
    against: str = ""
    """Class that it is contrasted with; empty: none."""
    typed: Mapping[str, object] = field(default_factory=dict)
    """What stands in the form that keeps the case, by the keys of its fields."""
    typed_on: str = ""
    """Page whose form holds that; empty: none."""
    tab: str = ""
    """Where it is open, see ``tabs.here``."""
    erased: bool = False
    """Whether it was erased for good: nothing of it may be shown any more."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        with _ANYWHERE_LOCK:
            _ANYWHERE.add(self)

    def apart(self) -> "OpenCase":
        """The same for another session, which from here on goes its own way."""
        with self._lock:
            return replace(self, maps=list(self.maps), checks=list(self.checks), tab="", _lock=threading.Lock())

    @property
    def photo_sha256(self) -> str:
        return self.analysis.photo.sha256

    @property
    def gone(self) -> bool:
        """Whether it was erased, here or in any window: asked before anything of it is shown. Raises StoreError."""
        if not self.erased and self.case is not None and self.home is not None:
            self.erased = not CaseStore(self.home).exists(self.case.visit.id)
        return self.erased

    def keep(self, explanation: Explanation) -> None:
        """Take a new map in, and into the store if the case is stored. Called by background workers."""
        with self._lock:
            self.maps = [one for one in self.maps if _same_but_time(one) != _same_but_time(explanation)] + [explanation]
            if self.case is not None and self.home is not None:
                CaseStore(self.home).add_explanation(self.case.visit.id, explanation)

    def keep_checks(self, checks: Sequence[Check]) -> None:
        """Take new checks in, each in the place of the same one, and into the store if the case is stored. Called by
        background workers.
        """
        with self._lock:
            new = {check.identity for check in checks}
            self.checks = [one for one in self.checks if one.identity not in new] + list(checks)
            if self.case is not None and self.home is not None:
                pipeline.add_checks(CaseStore(self.home), self.case.visit.id, checks)

    def checks_of(self, kind: str, label: str | None = None, method: str | None = None) -> tuple[Check, ...]:
        """Those of one kind, of one class and of one method's map where these are given, the oldest first."""
        return tuple(
            one
            for one in self.checks
            if one.kind == kind and label in {None, one.label} and method in {None, one.method}
        )

    def keep_outlines(self, outlines: Sequence[Outline]) -> None:
        """These take the place of those so far, also in the store if the case is stored.

        Raises:
            Conflict: another window stored others; those are the open case's from here on.
        """
        with self._lock:
            if self.case is not None and self.home is not None:
                store, number = CaseStore(self.home), self.case.visit.id
                try:
                    pipeline.keep_outlines(store, number, outlines, expected=self.outlines)
                except Conflict:
                    self.outlines = store.outlines(number)
                    raise
            self.outlines = tuple(outlines)

    def outline_by(self, maker: OutlineMaker) -> Outline | None:
        return next((one for one in self.outlines if one.made_by == maker), None)

    def save(self, store: CaseStore, **entries: object) -> Case:
        """Store the case with all maps and checks so far; later ones follow by themselves."""
        with self._lock:
            said = {**entries, "first_impression": self.impression}
            self.case = pipeline.save(store, self.analysis, self.maps, self.checks, self.outlines, **said)  # type: ignore[arg-type]
            self.home = store.home
            return self.case

    def map_of(self, method: Method, params: Mapping[str, object]) -> Explanation | None:
        """The map of what is explained: with these settings, otherwise the latest there is."""
        settled = METHODS[method].settle(with_target(params, self.target), self.analysis.photo)
        found = [one for one in self.maps if one.method == method and one.target == self.target]
        exact = [one for one in found if dict(one.params) == settled]
        suiting = exact or ([] if params else found)
        return suiting[-1] if suiting else None

    @property
    def target(self) -> Target:
        """What is explained."""
        return Target(self.label, self.against)

    @property
    def synthetic(self) -> bool:
        """The drawn example, not a patient; also when it comes back from the store."""
        return self.analysis.photo.source_format == pipeline.DRAWN

    @property
    def by_todays_model(self) -> bool:
        """Whether the installed model made the prediction, and the photo is there; only then it may explain it."""
        model = cache.installed()
        there = not self.analysis.photo.placeholder
        return there and model is not None and self.analysis.prediction.model.sha256 == model.engine.stamp.sha256


def _same_but_time(one: Explanation) -> tuple[object, ...]:
    return one.method, one.label, dict(one.params), one.model


_ANYWHERE: WeakSet[OpenCase] = WeakSet()
_ANYWHERE_LOCK = threading.Lock()
UNSAVED: Holder[OpenCase] = Holder()
PHOTO_GONE = (
    "The photo that this page showed was not saved, and is not held any more: that is so for an hour. Upload it again."
)


ERASED = "What was open here was erased for good, in this or in another window. Nothing of it is held any more."


def open_anywhere() -> list[OpenCase]:
    """What is open in any tab of this server, and what it holds for reloaded pages."""
    with _ANYWHERE_LOCK:
        return list(_ANYWHERE)


def current() -> OpenCase | None:
    found: OpenCase | None = st.session_state.get(_OPEN)
    return found


def desk() -> Desk:
    if _DESK not in st.session_state:
        st.session_state[_DESK] = Desk()
    found: Desk = st.session_state[_DESK]
    _cleared_with_the_tab(id(found), found)
    return found


@st.cache_resource(show_spinner=False, scope="session", on_release=Desk.clear)
def _cleared_with_the_tab(number: int, _desk: Desk) -> Desk:  # noqa: ARG001  the number is the key
    """Streamlit lets go of this when the browser's tab is closed, reloaded, or out of reach; the session's state it
    keeps for an hour. Nobody waits for the desk's work any more then; who comes back asks for it again.
    """
    return _desk


def begin(analysis: Analysis) -> None:
    """Make a fresh analysis the open case."""
    _open(OpenCase(analysis))


def reopen(visit_id: int) -> None:
    """Make a stored case the open one, with its stored maps. Raises CaseNotFound, StoreError."""
    store = cache.store()
    case = store.case(visit_id)
    maps, problems = store.readable_explanations(visit_id)
    photo, lost = store.readable_photo(visit_id)
    analysis = Analysis(photo, case.visit.quality, case.visit.prediction)
    opened = OpenCase(
        analysis,
        case=case,
        home=store.home,
        maps=list(maps),
        problems=(*lost, *problems),
        checks=list(store.checks(visit_id)),
        outlines=store.outlines(visit_id),
        impression=case.visit.first_impression,
        revealed=True,
    )
    if maps:
        opened.label, opened.against = maps[-1].target.label, maps[-1].target.against
    _open(opened)


def show_in_history(shown: bool) -> None:
    """Whether the history shows the open case in full, or its list."""
    st.session_state[_IN_HISTORY] = shown


def shown_in_history() -> OpenCase | None:
    """The case that the history shows in full; None: the list."""
    opened = current()
    return opened if st.session_state.get(_IN_HISTORY) and opened and opened.case else None


def refresh(case: Case) -> None:
    """Put a changed case in the place of the open one."""
    opened = current()
    if opened and opened.case and opened.case.visit.id == case.visit.id:
        opened.case = case


def close() -> None:
    """Let go of the open case and of all that was typed for it."""
    desk().clear()
    _drop_unsaved()
    st.session_state.pop(_OPEN, None)
    _forget_typed()
    show_in_history(False)
    st.query_params.clear()


def _forget_typed() -> None:
    for key in [key for key in st.session_state if str(key).startswith("case_")]:
        del st.session_state[key]


def leave_if_gone(opened: OpenCase) -> None:
    """For a part of a page that is drawn by itself: run the whole page, which says so, where the case was erased."""
    if opened.gone:
        st.rerun()


def restore() -> None:
    """After the page was reloaded: open what its address names. Then keep the address up to date."""
    if current() is None:
        _open_named(st.query_params.get("case", ""), st.query_params.get("photo", ""))
    opened = current()
    if opened is None:
        return
    if opened.gone:
        close()
        st.session_state.setdefault(_SAID, ("problem", ERASED))
        return
    if opened.case is None:
        token = st.session_state.setdefault(_TOKEN, new_token())
        UNSAVED.hold(token, opened)
        _address(photo=token)
    else:
        _drop_unsaved()
        _address(case=str(opened.case.visit.id))


def _open_named(case: str, photo: str) -> None:
    if case.isascii() and case.isdigit():
        try:
            reopen(int(case))
        except (CaseNotFound, OverflowError):
            st.query_params.clear()
        except StoreError as error:  # a damaged case does not keep the others from being opened
            st.query_params.clear()
            say_problem(error)
    elif photo:
        held = UNSAVED.find(photo)
        if held is not None and held.case is None:
            _open(held.apart())
            st.session_state[_TOKEN] = photo
        else:
            st.query_params.clear()
            st.session_state[_SAID] = ("problem", PHOTO_GONE)


def _address(**names: str) -> None:
    """What the page's address names; touched only where it changes, for each change is a message to the browser."""
    if st.query_params.to_dict() != names:
        st.query_params.from_dict(names)


def _drop_unsaved() -> None:
    if token := st.session_state.pop(_TOKEN, None):
        UNSAVED.drop(token)


def _open(opened: OpenCase) -> None:
    desk().clear()
    _drop_unsaved()
    opened.label = opened.label or opened.analysis.prediction.top.code
    st.session_state[_OPEN] = opened
    st.session_state[_PARAMS] = {}
    opened.tab = tabs.here()
    _forget_typed()  # it belongs to the case before
    opened.typed_on = ""  # a reloaded page's form stands empty, and takes what was typed again


# ------------------------------------------------------------------------------------------------------------ maps


def map_params(method: Method) -> dict[str, int | str]:
    """The settings that were changed from the defaults."""
    chosen: dict[Method, dict[str, int | str]] = st.session_state.setdefault(_PARAMS, {})
    return chosen.get(method, {})


def with_target(params: Mapping[str, int | str] | Mapping[str, object], target: Target) -> dict[str, object]:
    """The settings as ``explain`` takes them, with the class that the explained one is contrasted with."""
    return {**params, AGAINST: target.against} if target.against else dict(params)


def set_map_params(method: Method, params: dict[str, int | str]) -> None:
    st.session_state.setdefault(_PARAMS, {})[method] = params


def request_maps(opened: OpenCase, classifier: Classifier, methods: tuple[Method, ...] = tuple(METHODS)) -> None:
    """Have those made that are not there yet, in the background."""
    for method in methods:
        params = map_params(method)
        running = desk().job((method, opened.target.code))
        if opened.map_of(method, params) is None and not (running and running.active):
            desk().submit(_job(opened, classifier, method, opened.target, params))


def _job(opened: OpenCase, classifier: Classifier, method: Method, target: Target, params: dict[str, int | str]) -> Job:
    photo, settings = opened.analysis.photo, with_target(params, target)
    return Job(
        key=(method, target.code),
        compute=lambda progress: pipeline.explain(
            method, classifier, photo, target.label, params=settings, progress=progress
        ),
        keep=opened.keep,
    )


def classifier_of(opened: OpenCase) -> Classifier | None:
    """The model that made the prediction, if it is the installed one: no other can say what moved it."""
    return cache.installed() if opened.by_todays_model else None


def labels_first(opened: OpenCase) -> tuple[str, ...]:
    """Melanoma and the most probable class: one click away."""
    return tuple(dict.fromkeys((opened.analysis.prediction.top.code, MELANOMA)))


# --------------------------------------------------------------------------------------------------------- messages


def say(message: str) -> None:
    """Show a sentence once, after the page is drawn anew."""
    st.session_state[_SAID] = ("done", message)


def say_problem(error: SkinLensError) -> None:
    """The same for what went wrong."""
    st.session_state[_SAID] = ("problem", str(error))


def said() -> tuple[str, str] | None:
    found: tuple[str, str] | None = st.session_state.pop(_SAID, None)
    return found
