"""Photos that came from another system, on the worklist: each in a row like a dropped one, until somebody files it.

They wait in the case file for whoever files them first. What one window files or discards leaves the others. A dropped
DICOM file says of its patient what a received one says, and it is proposed in the same way.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

import streamlit as st

from skinlens.case_record import Proposal, Sender
from skinlens.clock import local_minute
from skinlens.formatting import counted
from skinlens.store import CaseStore
from skinlens.ui.forms import placement, sites
from skinlens.ui.worklist.tray import Tray, TrayItem

SENT: Mapping[Sender, str] = {"archive": "Received by DICOM", "program": "Sent by a program"}
LOOK_S = 5.0
"""Between two looks for what came, where a receiver was ever started."""


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
        item.remark = proposed(photo.proposal)
        _propose(store, item, photo.proposal)
    if left:
        st.caption(f"{counted(left, 'more received photo')} will follow when some of these are filed or discarded.")
    st.fragment(_look, run_every=LOOK_S)(store, frozenset(waiting))


def _look(store: CaseStore, shown: frozenset[str]) -> None:
    if frozenset(photo.token for photo in store.received()) != shown:
        st.rerun()


def proposed(proposal: Proposal) -> str:
    """Sentence on what of the fields is filled in; empty where nothing is."""
    fields = {
        "patient": proposal.pseudonym,
        "date": proposal.taken_on,
        "body site": proposal.body_site in sites.CHOICES,
    }
    names = [name for name, given in fields.items() if given]
    if not names:
        return ""
    listed = " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
    are, those = ("are", "them") if len(names) > 1 else ("is", "that")
    return f"{'The ' * (len(names) == 1)}{listed} {are} proposed from its file: check {those}.".capitalize()


def propose_for_dropped(store: CaseStore, items: Iterable[TrayItem]) -> None:
    """Fill in what the file of a dropped photo says of its patient, once, before the fields of its row are drawn."""
    for item in items:
        if item.state == "read" and item.said is not None:
            given = replace(item.said.proposal, pseudonym=store.pseudonym(item.said.identity))
            item.said, item.remark = None, proposed(given)
            _propose(store, item, given)


def _propose(store: CaseStore, item: TrayItem, given: Proposal) -> None:
    """Fill in patient, day and body site of the row; the clinician still chooses the lesion, and files it."""
    state = st.session_state
    if given.body_site in sites.CHOICES:
        state[item.key("site")] = given.body_site
    if not (given.pseudonym or given.taken_on):
        return
    state[item.key("own")] = True
    if given.taken_on:
        state[item.key("date")] = date.fromisoformat(given.taken_on)
    if not given.pseudonym:
        return
    if (known := placement.namesake(given.pseudonym, store.patients())) is not None:
        state[item.key("kind")], state[item.key("patient")] = placement.KNOWN, known.id
    else:
        _new_patient(item, given)


def _new_patient(item: TrayItem, given: Proposal) -> None:
    state = st.session_state
    state[item.key("kind")], state[item.key("pseudonym")] = placement.NEW, given.pseudonym
    state[item.key("sex")] = given.sex
    if given.birth_year is not None:
        state[item.key("year")] = str(given.birth_year)


def discard(store: CaseStore, item: TrayItem) -> None:
    """Delete what waits; the row can be put back as long as this window holds it, and is then like a dropped file."""
    if item.received:
        store.discard_received(item.received)
        item.received = ""
