"""Session of one browser tab: the open case, its maps, and the work in progress. It outlives page switches."""

from collections.abc import Callable
from typing import NoReturn
from weakref import WeakMethod

import streamlit as st

from skinlens.case_record import Analysis
from skinlens.errors import CaseNotFound, StoreError
from skinlens.explain import METHODS
from skinlens.inference.classifier import Classifier
from skinlens.records import Case, Method, Target
from skinlens.ui.state import access, address, cache, drafts, equal_maps, messages, tabs
from skinlens.ui.state.draft_cache import TTLStore, new_token
from skinlens.ui.state.jobs import Job, SessionQueue
from skinlens.ui.state.open_case import OpenCase, open_anywhere, with_target
from skinlens.ui.worklist.tray import Tray, TrayItem
from skinlens.wording.gone import ENTRIES_GONE, ERASED, PHOTO_GONE, TRAY_GONE

_OPEN, _QUEUE, _PARAMS, _TOKEN = "open_case", "queue", "map_params", "photo_token"
_PATIENT, _TRAY, _NEXT_VIEW = "last_patient", "tray_token", "next_view"
_TOP = "times_to_top"
_NEXT_PAGE = "next_page"
VIEW = "view"
"""Key, and name in the address, of the part of the visit's page that is shown."""
RESULT, WHY, COMPARE, REPORT, MORE = "Result", "Why?", "Compare", "Report", "More"
UNSAVED_VIEWS = (RESULT, WHY)
"""Parts of the page that a photo has before it is saved."""
NEXT_PHOTO = "next_photo"
"""Key of the lesion that the next new photo is of: see ``next_photo``."""
TRAYS: TTLStore[Tray] = TTLStore(size=lambda tray: tray.held_bytes, owner=access.owner)


def current() -> OpenCase | None:
    opened: OpenCase | None = st.session_state.get(_OPEN)
    return opened


def queue() -> SessionQueue:
    if _QUEUE not in st.session_state:
        st.session_state[_QUEUE] = SessionQueue()
    session_queue: SessionQueue = st.session_state[_QUEUE]
    _let_go_with_the_tab(id(session_queue), session_queue, tabs.here())
    return session_queue


def _tab_left(left: tuple[SessionQueue, str]) -> None:
    """Nobody waits for what is in its queue any more; who comes back asks for it again. A tab that was closed gives its
    memory back soon, unless it was only reloaded; one that was cut off (a laptop that sleeps) finds its case again.
    """
    queue, tab = left
    queue.clear()
    taken = sum(opened.bytes for opened in open_anywhere() if opened.tab == tab)
    if tabs.left(tab, taken):
        drafts.UNSAVED.expire_where(lambda opened: opened.tab == tab, tabs.CLOSED_S)
        TRAYS.expire_where(lambda tray: tray.tab == tab, tabs.CLOSED_S)
        drafts.HELD.expire_where(lambda draft: draft.tab == tab, tabs.CLOSED_S)


@st.cache_resource(show_spinner=False, scope="session", on_release=_tab_left)
def _let_go_with_the_tab(number: int, _queue: SessionQueue, _tab: str) -> tuple[SessionQueue, str]:  # noqa: ARG001  number is the key
    """Streamlit lets go of this when the browser's tab is closed, reloaded, or out of reach."""
    return _queue, _tab


def begin(analysis: Analysis, in_tray: TrayItem | None = None) -> None:
    """Make a fresh analysis the open case; of a photo of the worklist, with what was said of it there."""
    opened = OpenCase(analysis)
    if in_tray is not None:
        if in_tray.revealed:
            opened.reveal(in_tray.impression)
        opened.on_reveal = WeakMethod(in_tray.reveal)
    _open(opened)
    turn_to(RESULT)


def to_visit() -> NoReturn:
    """Switch to the page of what is open, in one step of the browser's history: back leads to where one came from.

    Streamlit writes the new address to the page that is left as well. So a patient's page stays named in it.
    """
    came_from = {name: st.query_params[name] for name in ("patient", "lesion") if name in st.query_params}
    st.switch_page("pages/visit.py", query_params={**came_from, **_open_address()})


def to_patient(patient_id: int, lesion_id: int | None = None) -> NoReturn:
    """Switch to the page of a patient, with a lesion chosen on it, in one step of the browser's history."""
    chosen = {"lesion": str(lesion_id)} if lesion_id is not None else {}
    st.switch_page("pages/patients.py", query_params={"patient": str(patient_id), **chosen, **_open_address()})


def _open_address() -> dict[str, str]:
    """What is open, and the photos that are not filed yet, as a page's address names them."""
    opened = current()
    names: dict[str, str] = {}
    if opened is not None and opened.case is not None:
        names = {"case": str(opened.case.visit.id)}
    elif opened is not None:
        names = {"photo": st.session_state.setdefault(_TOKEN, new_token())}
    token = drafts.named_as()
    return {**names, **_tray_address(), **({drafts.ADDRESS: token} if token else {})}


def turn_to(view: str) -> None:
    """Have the visit's page show this part of it when it is drawn next."""
    st.session_state[_NEXT_VIEW] = view


def to_top() -> None:
    """Have the page scrolled to its top when it is drawn next: what was asked for begins there."""
    st.session_state[_TOP] = tops() + 1


def tops() -> int:
    """Number of times that this was asked for in this session."""
    return int(st.session_state.get(_TOP, 0))


def view_asked_for() -> str | None:
    """Tab of the visit's page requested since its last run; returned once, then cleared."""
    view: str | None = st.session_state.pop(_NEXT_VIEW, None)
    return view


def go_to(page: str) -> None:
    """Have the frame switch to this page at its next run: a callback, or a part drawn by itself, cannot do it."""
    st.session_state[_NEXT_PAGE] = page


def asked_for_page() -> str | None:
    page: str | None = st.session_state.pop(_NEXT_PAGE, None)
    return page


def reopen(visit_id: int) -> None:
    """Make a stored case the open one, with its stored maps. Raises CaseNotFound, StoreError."""
    store = cache.store()
    record = store.load(visit_id)
    not_noted = store.note_view("visit", visit_id)
    opened = OpenCase(
        Analysis(record.photo, record.visit.quality, record.visit.prediction),
        case=record.case,
        store=store,
        maps=list(record.explanations),
        problems=(*record.problems, not_noted) if not_noted else record.problems,
        checks=list(record.checks),
        outlines=record.outlines,
        impression=record.visit.first_impression,
        result_first=record.visit.result_first,
        revealed=True,
    )
    if record.explanations:
        target = record.explanations[-1].target
        opened.label, opened.contrast_with = target.label, target.contrast_with
    _open(opened)
    drafts.put_back(opened)
    work_on(record.case)


def show_case(visit_id: int) -> None:
    """Make a stored case the open one, from its result on. Raises CaseNotFound, StoreError."""
    reopen(visit_id)
    turn_to(RESULT)


def to_case(visit_id: int) -> NoReturn:
    """Switch to the page of a stored case, on its result. Raises CaseNotFound, StoreError."""
    show_case(visit_id)
    to_visit()


def refresh(case: Case) -> None:
    """Put a changed case in the place of the open one."""
    opened = current()
    if opened and opened.case and opened.case.visit.id == case.visit.id:
        opened.case = case


def work_on(case: Case) -> None:
    """Remember the patient for the next photo."""
    st.session_state.pop(NEXT_PHOTO, None)
    if case.patient is not None:
        st.session_state[_PATIENT] = case.patient.id


def last_patient() -> int | None:
    """The patient that was worked on last in this session."""
    patient_id: int | None = st.session_state.get(_PATIENT)
    return patient_id


def close() -> None:
    """Let go of the open case and of all that was typed for it."""
    queue().clear()
    _drop_unsaved()
    if (left := st.session_state.pop(_OPEN, None)) is not None:
        drafts.forget(left)
    _forget_typed()
    address.forget(VIEW)
    _address()


def _forget_typed() -> None:
    for key in [key for key in st.session_state if str(key).startswith("case_")]:
        del st.session_state[key]


def leave_if_gone(opened: OpenCase) -> None:
    """Run the whole page, for a part that is drawn by itself, where the case was erased: the page says so."""
    try:
        gone = opened.gone
    except StoreError:
        gone = True  # the whole page says what is amiss
    if gone:
        st.rerun()


def tray(make: Callable[[], Tray]) -> Tray:
    """The tab's photos that are not filed yet; an empty one is made by ``make``."""
    tab_tray = open_tray()
    if tab_tray is None:
        st.session_state[_TRAY] = new_token()
        tab_tray = make()
    _hold_tray(tab_tray)
    return tab_tray


def _hold_tray(tab_tray: Tray) -> None:
    tab_tray.tab = tabs.here()
    queue()  # which hears it when the tab is closed
    TRAYS.hold(st.session_state[_TRAY], tab_tray)


def _restore_tray() -> None:
    token = st.session_state.get(_TRAY) or st.query_params.get("tray", "")
    tab_tray = TRAYS.find(token) if token else None
    if tab_tray is None:
        st.session_state.pop(_TRAY, None)
        if st.query_params.get("tray"):  # the address names one that has photos
            messages.say_problem(TRAY_GONE)
        return
    st.session_state[_TRAY] = token
    _hold_tray(tab_tray)


def open_tray() -> Tray | None:
    """The tab's photos, where there are any that were added."""
    return TRAYS.find(st.session_state[_TRAY]) if _TRAY in st.session_state else None


def _tray_address() -> dict[str, str]:
    tab_tray = open_tray()
    return {"tray": st.session_state[_TRAY]} if tab_tray is not None and tab_tray.items else {}


def restore(*, of_visit: bool = True) -> None:
    """Open what the address names after the page was reloaded. Then keep the address up to date.

    ``of_visit``: whether it is the visit's page. Another one names a stored case only where it was switched to with
    it: were it named there again each time, the browser's back button would lead nowhere.
    """
    _restore_tray()
    if drafts.are_gone():
        messages.say_problem(ENTRIES_GONE)
    if drafts.hold():
        messages.say_problem(PHOTO_GONE)
    if current() is None:
        _open_named(address.number("case"), st.query_params.get("photo", ""))
    opened = current()
    if opened is None:
        _address()
        return
    if opened.gone:
        close()
        messages.say_problem(ERASED, first=True)
        return
    if opened.case is None:
        token = st.session_state.setdefault(_TOKEN, new_token())
        drafts.UNSAVED.hold(token, opened)
        _address(photo=token)
    else:
        opened.case = cache.store().case(opened.case.visit.id)  # another window may have changed it
        _drop_unsaved()
        if of_visit:
            _address(case=str(opened.case.visit.id))


def _open_named(case: int | None, photo: str) -> None:
    if case is not None:
        try:
            reopen(case)
        except CaseNotFound:
            _address()
        except StoreError as error:  # a damaged case does not keep the others from being opened
            _address()
            messages.say_problem(error)
    elif photo:
        held = drafts.UNSAVED.find(photo)
        if held is not None and held.case is None:
            _open(held.apart())
            st.session_state[_TOKEN] = photo
        else:
            _address()
            messages.say_problem(PHOTO_GONE)


def _address(**names: str) -> None:
    """What is open, in the page's address; what the page's own widgets put there stays."""
    wanted = {**names, **_tray_address()}
    for name in ("case", "photo", "tray"):
        address.put(name, wanted.get(name))


def _leave(left: OpenCase | None) -> None:
    """Another photo is opened: checks that were asked for of a stored case are finished and kept with it."""
    stored = left.case if left and not left.erased else None
    checks_left = queue().change(lambda job: stored is not None and job.key[0] not in METHODS)
    if stored is not None and checks_left:
        checks = "The check" if checks_left == 1 else f"The {checks_left} checks"
        messages.say(
            f"{checks} that you asked for of case {stored.visit.id} will be finished in the background and kept there."
        )


def open_photo(token: str) -> None:
    """Open a new photo again that was left for a stored case; nothing where it is not held any more."""
    held = drafts.UNSAVED.find(token)
    if held is not None:
        drafts.here().photos.remove(token)
        _open(held.apart())
        st.session_state[_TOKEN] = token


def _drop_unsaved() -> None:
    if token := st.session_state.pop(_TOKEN, None):
        drafts.UNSAVED.drop(token)


def _open(opened: OpenCase) -> None:
    left = current()
    _leave(left)
    if left is not None and left.case is not None:
        (drafts.forget if left.erased else drafts.note)(left)  # also what came with the press that leads away
    elif opened.case is not None and (token := st.session_state.pop(_TOKEN, None)):
        drafts.here().photos.append(token)  # a new photo that is left for a stored case waits in this tab
    _drop_unsaved()
    if not opened.label:
        target = opened.analysis.first_target
        opened.label, opened.contrast_with = target.label, target.contrast_with
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


def set_map_params(method: Method, params: dict[str, int | str]) -> None:
    st.session_state.setdefault(_PARAMS, {})[method] = params


def request_maps(opened: OpenCase, classifier: Classifier, methods: tuple[Method, ...] = tuple(METHODS)) -> None:
    """Have those made that are not there yet, in the background."""
    for method in methods:
        params = map_params(method)
        running = queue().job((method, opened.target.code))
        if opened.map_of(method, params) is None and not (running and running.active):
            queue().submit(_job(opened, classifier, method, opened.target, params))


def _job(opened: OpenCase, classifier: Classifier, method: Method, target: Target, params: dict[str, int | str]) -> Job:
    photo, settings = opened.analysis.photo, with_target(params, target)
    return Job(
        key=(method, target.code),
        compute=equal_maps.maker(method, classifier, photo, target.label, settings),
        on_result=opened.keep,
    )


def classifier_of(opened: OpenCase) -> Classifier | None:
    """The model that made the prediction, if it is the installed one: no other can say what moved it."""
    return cache.installed() if opened.by_todays_model else None
