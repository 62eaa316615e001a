"""Photos that came from another system, on the worklist: each in a row like a dropped one, until somebody files it.

They wait in the case file for whoever files them first. What one window files or discards leaves the others. A dropped
DICOM file says of its patient what a received one says, and it is proposed in the same way.
"""

from collections.abc import Iterable, Mapping

import streamlit as st

from skinlens.case_record import Proposal, Sender
from skinlens.clock import local_minute
from skinlens.formatting import counted
from skinlens.store import CaseStore
from skinlens.ui.forms import proposals
from skinlens.ui.worklist.tray import Tray, TrayItem

SENT: Mapping[Sender, str] = {"archive": "Received by DICOM", "program": "Sent by a program"}
LOOK_S = 5.0
"""Interval between two looks for what came, where a receiver was ever started."""


def take_in(store: CaseStore, tray: Tray) -> None:
    """Bring the tray up to what waits, and fill in what is proposed, before the fields are drawn."""
    if not store.expects_photos():
        return
    waiting = {photo.token: photo for photo in store.received()}
    tray.leave_received({*waiting})
    there = {item.received for item in tray.items}
    left = 0
    for token, photo in waiting.items():
        if token in there:
            continue
        data = store.received_photo(token)
        if data is None:
            continue
        if not tray.has_room(len(data)):
            left += 1
            continue
        item = tray.add_received(f"{SENT[photo.sender]} {local_minute(photo.received_at)}", data, token)
        item.remark = proposals.sentence(photo.proposal)
        _propose(store, item, photo.proposal)
    if left:
        st.caption(f"{counted(left, 'more received photo')} will follow when some of these are filed or discarded.")
    st.fragment(_look, run_every=LOOK_S)(store, frozenset(waiting))


def _look(store: CaseStore, shown: frozenset[str]) -> None:
    if frozenset(photo.token for photo in store.received()) != shown:
        st.rerun()


def propose_for_dropped(store: CaseStore, items: Iterable[TrayItem]) -> None:
    """Fill in what the file of a dropped photo says of its patient, once, before the fields of its row are drawn."""
    for item in items:
        if item.state == "read" and item.said is not None:
            given = proposals.named(item.said, store)
            item.said, item.remark = None, proposals.sentence(given)
            _propose(store, item, given)


def _propose(store: CaseStore, item: TrayItem, given: Proposal) -> None:
    if given.pseudonym or given.taken_on:
        st.session_state[item.key("own")] = True
    st.session_state.update(proposals.values(given, item.key, "date", store.patients()))


def discard(store: CaseStore, item: TrayItem) -> None:
    """Delete what waits; the row can be put back as long as this window holds it, and is then like a dropped file."""
    if item.received:
        store.discard_received(item.received)
        item.received = ""
