"""Photos that other programs sent: how many wait, and the buttons that take them into the list or delete them."""

import streamlit as st

from skinlens import pipeline
from skinlens.case_record import Analysis
from skinlens.clock import local_minute
from skinlens.formatting import counted
from skinlens.store import Arrival, CaseStore, default_home
from skinlens.ui.components.text import plain
from skinlens.ui.state import cache
from skinlens.ui.worklist.tray import Tray, TrayItem

SHOWN = 5


def analysis(item: TrayItem) -> Analysis:
    """Reading of a photo of the list, dropped here or sent. Raises UnreadableImage, StoreError, WeightsError."""
    if item.arrival:  # in a thread without a page: who may see the list was asked when the photo was taken into it
        return pipeline.analyse_photo(CaseStore(default_home()).arrived_photo(item.arrival), cache.classifier())
    return pipeline.analyse(item.data, cache.classifier())


def section(store: CaseStore, tray: Tray) -> None:
    """The photos that wait and are not in the list; nothing where there are none."""
    here = {item.arrival for item in tray.items}
    waiting = [one for one in store.arrivals() if one.photo_sha256 not in here]
    if not waiting:
        return
    with st.container(border=True, key="tray_arrivals"):
        verb = "has" if len(waiting) == 1 else "have"
        st.markdown(f"**{counted(len(waiting), 'photo')} {verb} been sent by another program**")
        for one in waiting[:SHOWN]:
            st.caption(plain(name(one)))
        if (more := len(waiting) - SHOWN) > 0:
            st.caption(f"And {more} more.")
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button("Take into the list", key="tray_take_over", help="They wait on until they are filed."):
                cache.classifier()  # without a model nothing is taken in
                tray.take_over([(name(one), one.photo_sha256) for one in waiting])
                st.rerun()
            with st.popover("Delete", help="Those that nobody wants to file."):
                st.markdown(f"{counted(len(waiting), 'photo')} will be deleted for good, unfiled.")
                if st.button("Delete for good", key="tray_delete_arrivals"):
                    for one in waiting:
                        store.delete_arrival(one.photo_sha256)
                    st.rerun()


def name(one: Arrival) -> str:
    """Sender and time: the file's own name was never sent."""
    return f"From {one.sent_by}, {local_minute(one.arrived_at)}"
