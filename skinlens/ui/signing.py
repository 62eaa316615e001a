"""Who signs a case, or amends a signed one: chosen from the names of the settings, or typed."""

import streamlit as st

from skinlens.errors import InvalidEntry
from skinlens.settings import offered
from skinlens.store import CaseStore
from skinlens.store.settings import optional_line

_LAST = "signer"
"""Who signed last in this session."""


def choose(store: CaseStore, *, draft: bool) -> str:
    """The field; the name in it, or nothing. It begins with the one who signed in this session, or is the only one."""
    names = offered(store.settings().signers, _last(store))
    mine = st.session_state.get(_LAST, "")
    if mine and mine not in names:
        names = (mine, *names)
    chosen = st.selectbox(
        "Signed by" if draft else "Amended by (optional)",
        names,
        index=0 if draft and names and (mine or len(names) == 1) else None,
        accept_new_options=True,
        placeholder="Choose a name, or type another one",
        help="The names are listed under “Settings”.",
    )
    return chosen or ""


def missing(store: CaseStore, signer: str) -> str:
    """Why a case cannot be signed like this; empty where it can. Without a list a name is not asked for."""
    if signer.strip() or not store.settings().signers:
        return ""
    return "Not signed yet: choose who signs, or type another name."


def refused(signer: str) -> str:
    """Why a name cannot be kept; empty where it can."""
    try:
        optional_line(signer, "name of who signs")
    except InvalidEntry as error:
        return f"Not signed yet. {error}"
    return ""


def remember(signer: str) -> None:
    """Offer this name first from here on."""
    if signer.strip():
        st.session_state[_LAST] = " ".join(signer.split())


def _last(store: CaseStore) -> str:
    """Who signed last: in this session, else in the whole case file."""
    mine: str = st.session_state.get(_LAST, "")
    used = store.signers_used() if not mine else ()
    return mine or (used[0].name if used else "")
