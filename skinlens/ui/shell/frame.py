"""Page frame: the disclaimer, the open case's name, messages, plain words when something is amiss."""

import runpy
from collections.abc import Sequence
from contextvars import ContextVar
from html import escape
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator
from streamlit.runtime.pages_manager import PagesManager

from skinlens import __version__, paths
from skinlens.background import waited_for
from skinlens.errors import CaseNotFound, NotAllowed, SkinLensError, StoreError, WeightsError
from skinlens.labels import DISCLAIMER
from skinlens.ui.components import shortcuts, upload
from skinlens.ui.components.text import plain
from skinlens.ui.shell import account, guard
from skinlens.ui.state import access, address, back_button, cache, drafts, messages, session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.worklist import stored_visits

_TURN = "turn_page"
VISIT = "Visit"
NOT_SAVED = "the new photo, not saved yet"
_HEAD: ContextVar[DeltaGenerator | None] = ContextVar("head", default=None)
"""Where the heading of the page goes: in one line with what is on every page."""
_HERE = Path(__file__).parent
_ROUTER = paths.ROOT / "app.py"
MARK = str(_HERE / "mark.svg")
WORDMARK = str(_HERE / "wordmark.svg")
MENU = {"Get help": None, "Report a bug": None, "About": f"SkinLens {__version__}. {DISCLAIMER}"}
"""Of the menu ⋮. With an entry of the app's own Streamlit shows it, and in it the choice of light or dark."""
CONDITIONS = (
    "Not a screening tool. Never rely on it alone: read it only together with all clinical information.",
    "It knows seven kinds of lesion. A lesion of any other kind is forced into one of the seven.",
    "It was not evaluated on dark skin: the photos that it learned from show light skin almost without exception.",
    "Cases stay on this computer. Use pseudonyms, never names.",
)


def title(words: str) -> DeltaGenerator:
    """The heading of a page, and its way into the frame.

    Returns:
        The line of the heading, for what is said beside it.

    Streamlit takes a folder named ``pages`` for an app without a router: the first page that a browser asks a fresh
    server for by its address is run by itself. Then app.py is run here, which settles it for the server, and draws
    this page in the frame.
    """
    guard.must_stand()
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        runpy.run_path(str(_ROUTER), run_name="__main__")
        st.stop()
    line = _HEAD.get() or st.container(horizontal=True, vertical_alignment="center")
    line.title(words, width="content")
    return line


def run(page: st.Page, pages: Sequence[st.Page]) -> None:
    """Draw the frame and the page in it. Whatever SkinLens raises on purpose becomes a sentence on the page."""
    with waited_for():
        _run(page, pages)


def _run(page: st.Page, pages: Sequence[st.Page]) -> None:
    st.html(_HERE / "frame.css")
    st.logo(WORDMARK, size="large")
    st.html(f'<div class="sl-disclaimer" role="note">{escape(DISCLAIMER)}</div>')
    try:
        _begin(page, pages)
        if not _acknowledged():
            return
        if page.title == VISIT:
            back_button.follow()
        session.restore(of_visit=page.title == VISIT)
        with st.container(horizontal=True, vertical_alignment="center"):
            _HEAD.set(st.container(horizontal=True, vertical_alignment="center", width="stretch"))
            _open_case(page)
            account.signed_in()
            shortcuts.listen(_turn, session.tops())
        for words in cache.store_problems():
            st.warning(plain(words))
        _message()
        _unsaved()
        page.run()
    except WeightsError as error:
        _no_model(error)
    except StoreError as error:
        _trouble("The case file cannot be used", error)
    except NotAllowed as error:
        _trouble("Not allowed", error)
    except CaseNotFound as error:
        session.close()
        _trouble("This case is not there any more", error)
    except SkinLensError as error:
        _trouble("This did not work", error)


def _begin(page: st.Page, pages: Sequence[st.Page]) -> None:
    """Before anything of the page is drawn: who is here, and whether another page is to be shown."""
    cache.begin_run()
    account.begin()
    if to := session.asked_for_page():
        st.switch_page(to)
    if by := st.session_state.pop(_TURN, 0):
        _turn_to(page, pages, by)
    address.begin(page.url_path)


def _turn_to(page: st.Page, pages: Sequence[st.Page], by: int) -> None:
    """From a stored visit to the next of the list that it was opened from, else to the next page."""
    opened = session.current()
    if page.title != VISIT or opened is None or opened.case is None:
        st.switch_page(pages[(pages.index(page) + by) % len(pages)])
    session.to_top()  # where the case is named, and what is said of the one before
    neighbor = stored_visits.neighbor(cache.store(), opened.case.visit.id, by)
    if neighbor is None:
        messages.say("This is the last visit of the list." if by > 0 else "This is the first visit of the list.")
        return
    view = st.session_state.get(session.VIEW, session.RESULT)
    session.show_case(neighbor)
    session.turn_to(view)


def _turn(by: int) -> None:
    st.session_state[_TURN] = by


def _acknowledged() -> bool:
    """Once per installation: the conditions of use, kept with the time at which they were agreed to."""
    store = cache.store()
    if store.disclaimer_acknowledged_at():
        return True
    st.title("Before you begin")
    st.markdown(f"SkinLens {__version__} is for research and education. Please read what it is not.")
    st.markdown("\n".join(f"- {sentence}" for sentence in (DISCLAIMER, *CONDITIONS)))
    if st.button("I have read this and agree", type="primary"):
        store.acknowledge_disclaimer()
        st.rerun()
    st.caption("This is asked once for all who use these cases. The time of the agreement is stored with them.")
    return False


NEW_PHOTO = "new_photo_open"


def _open_case(page: st.Page) -> None:
    """What is open, with the way to it from every other page, and the way to a new photo."""
    opened = session.current()
    if page.title != VISIT and opened is not None:
        words = NOT_SAVED if opened.case is None else f"case {opened.case.visit.id}"
        st.page_link("pages/visit.py", label=f"Back to {plain(words)}")
    if not access.here().may("file"):
        return
    if opened is not None:
        if upload.just_taken():
            st.session_state[NEW_PHOTO] = False  # it would cover what is asked about the new photo
        with st.popover("New photo", icon=":material/add:", key=NEW_PHOTO, on_change="rerun"):
            if opened.case is None:
                st.caption("The photo that is open is not saved; another one takes its place, and checks of it that "
                           "are not finished stop.")  # fmt: skip
            upload.field(_same_patient(opened))
            upload.example_button()
    elif page.title != VISIT:
        st.page_link("pages/visit.py", label="New photo", icon=":material/add:")


def _same_patient(opened: OpenCase) -> int | None:
    """Patient of the stored case that is open, for whom the next photo is proposed unless that is switched off."""
    patient = opened.case.patient if opened.case is not None else None
    if patient is None:
        return None
    wanted = st.toggle(f"For patient {plain(patient.pseudonym)}", value=True, key=opened.key("next_of_patient"))
    return patient.id if wanted else None


def _message() -> None:
    match messages.said():
        case ("done", words):
            st.success(words)
        case ("problem", words):
            st.error(plain(words))


def _unsaved() -> None:
    """What was left before it was saved, with the way back to it."""
    cases, photos = drafts.waiting(session.current())
    if not cases and not photos:
        return
    with st.container(horizontal=True, vertical_alignment="center", border=True, key="unsaved"):
        st.markdown("**Not saved yet**, kept while this tab is open:", width="content")
        for number in cases:
            if st.button(f"Entries of case {number}", key=f"unsaved_{number}"):
                session.to_case(number)
        for token in photos:
            if st.button("New photo of before", key=f"unsaved_{token}"):
                session.open_photo(token)
                session.to_visit()


def _no_model(error: WeightsError) -> None:
    st.header("The model is not ready")
    st.error(plain(error))
    st.markdown(
        "Without it no photo can be analysed or explained. Stored cases and their reports stay readable.\n\n"
        "1. Restore the folder `weights` from the release that you installed.\n"
        "2. Run `python -m skinlens doctor` to check the installation.\n"
        "3. Press the button below."
    )
    st.button("Try again", type="primary")


def _trouble(heading: str, error: SkinLensError) -> None:
    st.header(heading)
    st.error(plain(error))
    st.button("Try again", type="primary")
