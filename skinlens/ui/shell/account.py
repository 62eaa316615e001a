"""Account menu on every page: the name of the signed-in person, and the button to sign out."""

import streamlit as st

from skinlens.errors import NotAllowed
from skinlens.roles import described
from skinlens.ui.components.text import plain
from skinlens.ui.state import access

_OF = "signed_in_as"


def begin() -> None:
    """At the start of each run. What another person left in this tab is not for who signs in after them."""
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
    with st.popover(plain(who.actor), icon=":material/person:"):
        st.markdown(f"Signed in as **{plain(who.actor)}** ({who.role}). {described(who.role)}")
        st.button("Sign out", icon=":material/logout:", on_click=sign_out, args=(who,))


def sign_out(who: access.Who) -> None:
    """End this browser's session; the guard closes the connections of all its pages."""
    if who.session is not None:
        access.accounts().end(who.actor, who.session)
        access.forget()
