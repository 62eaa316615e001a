"""Signer of a case, or of an amendment: chosen from the names of the settings, or typed."""

import streamlit as st

from skinlens.errors import InvalidEntry
from skinlens.settings import offered
from skinlens.store import CaseStore
from skinlens.store.settings import optional_line
from skinlens.store.signatures import NO_SIGNER
from skinlens.ui.state import access, cache

_LAST = "signer"
"""Who signed last in this session."""


def choose(store: CaseStore, *, draft: bool, key: str = "signing_name", label: str = "Amended by") -> str:
    """The field; the name in it, or nothing. It begins with the one who signed in this session, or is the only one.

    Where the settings list who signs, one is chosen or another one typed; otherwise it is a field for a name.

    Args:
        store: Whose settings.
        draft: Whether it is to be signed; otherwise what was signed is to be amended.
        key: Of the field, which keeps its value while another part of the page is shown.
        label: Of the field where what was signed is to be changed.
    """
    listed = cache.settings().signers
    names = offered(listed, _last(store))
    mine = _mine()
    first = mine or (names[0] if draft and len(names) == 1 else "")
    st.session_state.setdefault(key, first or (None if listed else ""))
    if not listed:
        title = "Signed by (optional)" if draft else label
        return str(st.text_input(title, key=key, persist_state="session") or "").strip()
    typed = st.session_state[key]
    others = tuple(name for name in dict.fromkeys((mine, typed)) if name and name not in names)
    chosen = st.selectbox(
        "Signed by" if draft else label,
        (*others, *names),
        index=None,
        key=key,
        persist_state="session",
        accept_new_options=True,
        placeholder="Choose a name, or type another one",
        help="The names are listed under “Settings”.",
    )
    return chosen or ""


def missing(store: CaseStore, signer: str, *, draft: bool = True) -> str:
    """Reason why a case cannot be signed, or amended, like this; empty where it can.

    Without a list a name is not asked for to sign; an amendment always needs one.
    """
    if signer.strip() or (draft and not store.settings().signers):
        return ""
    if draft:
        return NO_SIGNER
    return "Not saved yet: an amendment needs the name of who makes it."


def refused(signer: str) -> str:
    """Reason why a name cannot be stored; empty where it can."""
    try:
        optional_line(signer, "name of who signs")
    except InvalidEntry as error:
        return f"Not signed yet. {error}"
    return ""


def remember(signer: str) -> None:
    """Offer this name first from here on."""
    if signer.strip():
        st.session_state[_LAST] = " ".join(signer.split())


def _mine() -> str:
    """Signer to preselect: the last one of this session, else the signed-in person."""
    who = access.here()
    mine: str = st.session_state.get(_LAST, "") or (who.actor if who.session is not None and who.may("sign") else "")
    return mine


def _last(store: CaseStore) -> str:
    """Who signed last: in this session, else in the whole case file."""
    mine = _mine()
    used = store.signers_used() if not mine else ()
    return mine or (used[0].name if used else "")
