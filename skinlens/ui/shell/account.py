"""Account menu on every page: the name of the signed-in person, and the button to sign out."""

import streamlit as st

from skinlens.errors import NotAllowed
from skinlens.roles import described
from skinlens.ui.components import unsaved_entries
from skinlens.ui.components.text import plain
from skinlens.ui.state import access

_OF, _MENU, _UNSAVED = "signed_in_as", "account_menu", "account_unsaved"


def begin() -> None:
    """Begin each run: what another person left in this tab is not for who signs in after them."""
    try:
        now = access.here().actor
    except NotAllowed as error:
        st.session_state.clear()
        st.warning(plain(error))
        st.stop()
    if st.session_state.setdefault(_OF, now) != now:
        st.session_state.clear()
        st.session_state[_OF] = now


def signed_in() -> None:
    """The name and the role; nothing where nobody signs in."""
    who = access.here()
    if who.session is None:
        return
    with st.popover(plain(who.actor), icon=":material/person:", key=_MENU, on_change="rerun"):
        st.markdown(f"Signed in as **{plain(who.actor)}** ({who.role}). {described(who.role)}")
        if unsaved := st.session_state.pop(_UNSAVED, ""):
            st.warning(plain(f"You are still signed in, for this is not saved: {unsaved}. Save it first."))
            st.button("Sign out without saving", icon=":material/logout:", on_click=sign_out, args=(who,))
        else:
            st.button("Sign out", icon=":material/logout:", on_click=_ask_first, args=(who,))


def _ask_first(who: access.Who) -> None:
    """Sign out, unless something of this tab is not saved: that is said, and asked again."""
    if unsaved := unsaved_entries.of_tab():
        st.session_state[_UNSAVED], st.session_state[_MENU] = ", ".join(unsaved), True
    else:
        sign_out(who)


def sign_out(who: access.Who) -> None:
    """End this browser's session; the guard closes the connections of all its pages."""
    if who.session is not None:
        access.accounts().end(who.actor, who.session)
        access.forget()
