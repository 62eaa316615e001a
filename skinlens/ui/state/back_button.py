"""Browser history on the visit's page: back and forward lead from one stored case to another, one press a step.

The page's address names the open case. Where it names another one than it did when the page was drawn last, the
browser's own button was pressed: that case is opened. Without this the page would write its own case there again.
"""

from contextlib import suppress

import streamlit as st

from skinlens.errors import CaseNotFound
from skinlens.ui.state import address, session

_SHOWN = "case_in_address"
"""Key of the number of the case that the address named when the page was drawn last."""


def follow() -> None:
    """Open the stored case that the browser went to; at the start of a run of the visit's page.

    A photo that is not stored yet keeps the page.

    Raises:
        StoreError: the case file cannot be read.
    """
    opened = session.current()
    if opened is None or opened.case is None:
        st.session_state.pop(_SHOWN, None)
        return
    shown, named, before = opened.case.visit.id, address.number("case"), st.session_state.get(_SHOWN)
    if before is not None and named not in {None, before, shown}:
        shown = _open(named or shown)
    st.session_state[_SHOWN] = shown


def _open(visit_id: int) -> int:
    """The number of the case that is open then: of an erased one the browser still knows the address."""
    with suppress(CaseNotFound):
        session.reopen(visit_id)
    opened = session.current()
    assert opened is not None
    assert opened.case is not None
    return opened.case.visit.id
