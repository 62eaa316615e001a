"""Signers: the names that are offered when a case is signed. Cases that are signed keep theirs."""

from collections.abc import Sequence
from dataclasses import replace

import streamlit as st

from skinlens.errors import InvalidEntry, SkinLensError
from skinlens.formatting import counted
from skinlens.store import CaseStore
from skinlens.store.settings import Signer
from skinlens.ui.components import allowed, confirmation
from skinlens.ui.components.text import plain

SECTION = "signers"
MOST_OTHERS = 5
"""Names of signed cases that are not in the list: so many are shown, the latest first."""
_NEW, _CLEAR, _REMOVED = "settings_new_signer", "settings_new_signer_clear", "settings_signer_removed"


def section(store: CaseStore, *, locked: bool = False) -> None:
    """The list, each name with its cases; a name is added, moved, removed, and put back. ``locked``: read alone."""
    st.header("Who signs")
    st.caption("Offered when a case is signed; the name used last comes first. Removing one changes no signed case.")
    names = store.settings().signers
    used = store.signers_used()
    cases = {signer.name: signer.cases for signer in used}
    with st.container(border=True):
        removed, _ = st.session_state.get(_REMOVED, (len(names), ""))
        for place, name in enumerate(names):
            if place == removed:
                _said(store, names)
            _row(store, names, place, cases.get(name, 0))
        _not_listed(store, names, used)
        if removed >= len(names):
            _said(store, names)
        _add(store, names, locked=locked)


def _said(store: CaseStore, names: tuple[str, ...]) -> None:
    """What was done, where it was done: in the place of a name that was removed, else above the field for a new one."""
    with st.container(horizontal=True, vertical_alignment="center"):
        confirmation.show(SECTION)
        _put_back(store, names)


def _row(store: CaseStore, names: tuple[str, ...], place: int, cases: int) -> None:
    name = names[place]
    signed = f"{counted(cases, 'signed case')}" if cases else "no signed case"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{plain(name)}**  \n{signed}", width="stretch")
        if place and st.button(
            "Up", icon=":material/arrow_upward:", key=f"signer_up_{place}",
            **allowed.button("settings", f"Move {plain(name)} up"),
        ):  # fmt: skip
            st.session_state.pop(_REMOVED, None)
            order = (*names[: place - 1], name, names[place - 1], *names[place + 1 :])
            _keep(store, names, order, f"{name} is number {place} of the list now.")
        if st.button(
            "Remove", icon=":material/close:", key=f"signer_remove_{place}",
            **allowed.button("settings", f"Remove {plain(name)}"),
        ):  # fmt: skip
            st.session_state[_REMOVED] = (place, name)
            signed = f" The {signed} keep the name." if cases > 1 else " The signed case keeps the name."
            _keep(store, names, (*names[:place], *names[place + 1 :]), f"{name} is removed.{signed if cases else ''}")


def _not_listed(store: CaseStore, names: tuple[str, ...], used: Sequence[Signer]) -> None:
    """Names of signed cases that are not in the list, each with a button that adds it; or that there is no name."""
    if not names and not used:
        st.markdown("The list is empty: who signs types a name, or none.")
    others = [signer for signer in used if signer.name not in names]
    if others:
        st.caption("These names have signed, and are not offered to others:" if names else
                   "No name is offered yet. These have signed:")  # fmt: skip
    for place, signer in enumerate(others[:MOST_OTHERS]):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{plain(signer.name)}**  \n{counted(signer.cases, 'signed case')}", width="stretch")
            if st.button(
                "Add to the list", key=f"signer_take_{place}",
                **allowed.button("settings", f"Offer {plain(signer.name)} when a case is signed"),
            ):  # fmt: skip
                st.session_state.pop(_REMOVED, None)
                _keep(store, names, (*names, signer.name), f"{signer.name} is added.")


def _add(store: CaseStore, names: tuple[str, ...], *, locked: bool) -> None:
    if st.session_state.pop(_CLEAR, False):
        st.session_state[_NEW] = ""
    with st.form("settings_signers", border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        typed = st.text_input(
            "Add a name", key=_NEW, max_chars=80, autocomplete="off", placeholder="Dr. …", disabled=locked
        )
        added = st.form_submit_button("Add", type="primary", **allowed.button("settings"))
    if added:
        st.session_state[_CLEAR] = bool(typed.strip())
        st.session_state.pop(_REMOVED, None)
        _keep(store, names, (*names, typed), f"{typed.strip()} is added.")


def _put_back(store: CaseStore, names: tuple[str, ...]) -> None:
    """The name that was removed last, where it was."""
    place, name = st.session_state.get(_REMOVED, (0, ""))
    if not name or name in names:
        st.session_state.pop(_REMOVED, None)
        return
    if st.button("Undo", icon=":material/undo:", key="signer_undo", help=f"Put {plain(name)} back"):
        _keep(store, names, (*names[:place], name, *names[place:]), f"{name} is back in the list.")


def _keep(store: CaseStore, names: tuple[str, ...], wanted: tuple[str, ...], words: str) -> None:
    """Save the list in the place of the one that was shown."""
    now = store.settings()
    try:
        saved = store.keep_settings(replace(now, signers=wanted), read=replace(now, signers=names))
    except SkinLensError as error:
        st.session_state.pop(_CLEAR, None)
        st.session_state.pop(_REMOVED, None)
        confirmation.problem(SECTION, InvalidEntry(f"Not saved. {error}"))
    else:
        lost = [name for name in saved.replaced.get("signers", ()) if name not in wanted]
        said = f" Another window had changed the list meanwhile; not in it any more: {', '.join(lost)}." if lost else ""
        confirmation.give(SECTION, words + said)
    st.rerun()
