"""The photos of the tray on the body map: one click on the figure gives a photo its body site, side and place."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from skinlens.records import BodyPosition
from skinlens.ui.components import bodymap, widgets
from skinlens.ui.components.bodymap import Pin, Spot, Verdict
from skinlens.ui.components.bodymap.regions import VIEWS, region_of
from skinlens.ui.components.text import plain
from skinlens.ui.forms import site_form, sites
from skinlens.ui.worklist.tray import Tray, TrayItem
from skinlens.wording.naming import site

_AT = "tray_map_at"
"""Number of the photo that the next click places; None where all are placed and none is to be moved."""
_DONE = "tray_map_done"


@dataclass(frozen=True)
class Done:
    """Last photo that was placed."""

    number: int
    position: BodyPosition
    words: str
    before: BodyPosition | None
    """Its place before; None: it had none."""
    site_before: str | None


def section(tray: Tray, items: Sequence[TrayItem]) -> None:
    """The map, where it is asked for, and beside it the photo that the next click places."""
    if not st.toggle("Place them on the body map", key="tray_map", persist_state="session"):
        return
    numbered = {number: item for number, item in enumerate(tray.items, 1) if item in items}
    at = st.session_state[_AT] = _next(numbered)
    with st.container(border=True):
        left, right = st.columns(2, gap="large")
        with right:
            bodymap.show(
                bodymap.Shown(
                    [_pin(number, item) for number, item in numbered.items()], chosen=at, noun="photo", next_one=at
                ),
                key="tray",
                on_choose=lambda number: st.session_state.__setitem__(_AT, number),
                on_spot=lambda spot: _spotted(numbered, at, spot),
            )
        with left, st.container(key="tray_map_photo"):
            open_ = sum(item.key("pin") not in st.session_state for item in numbered.values())
            st.markdown(f"**Choose where photo {at} is.**" if open_ else "**All photos are placed.**")
            if at:
                st.html(widgets.thumbnail(numbered[at].thumbnail, f"Photo {at} of the worklist"))
            _placed(numbered)
            st.caption(
                f"Each place that you choose is that of the next photo. {open_} of {len(numbered)} not placed yet."
                if open_
                else "To move a photo, choose it here or by its pin, then its place."
            )
            st.selectbox(
                "Photo to be placed" if open_ else "Photo to be moved", list(numbered), index=None,
                format_func="Photo {}".format, placeholder="None", key=_AT,
            )  # fmt: skip


def _next(numbered: dict[int, TrayItem]) -> int | None:
    """The photo that was chosen, else the first that is not placed; None where all are."""
    chosen = st.session_state.get(_AT)
    return int(chosen) if chosen in numbered else _free(numbered)


def _free(numbered: dict[int, TrayItem]) -> int | None:
    """The first photo that is not placed."""
    free = (number for number, item in numbered.items() if item.key("pin") not in st.session_state)
    return next(free, None)


def _placed(numbered: dict[int, TrayItem]) -> None:
    """What was placed last and where, with its undo."""
    done: Done | None = st.session_state.get(_DONE)
    item = numbered.get(done.number) if done else None
    if done is None or item is None or st.session_state.get(item.key("pin")) != done.position:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.success(plain(f"Photo {done.number} placed: {done.words}."), width="stretch")
        st.button("Undo", key="tray_map_undo", on_click=_undo, args=(item, done))


def _undo(item: TrayItem, done: Done) -> None:
    for name, value in (("pin", done.before), ("site", done.site_before)):
        if value is None:
            st.session_state.pop(item.key(name), None)
        else:
            st.session_state[item.key(name)] = value
    st.session_state[_AT] = done.number
    st.session_state.pop(_DONE, None)


def _spotted(numbered: dict[int, TrayItem], at: int | None, spot: Spot) -> None:
    number = spot.lesion_id or at
    if number is None:
        return
    item = numbered[number]
    before, site_before = (st.session_state.get(item.key(name)) for name in ("pin", "site"))
    choice = sites.on_map(spot.position, spot.region)
    site_form.put(item.key, spot.position, choice)
    view = VIEWS[spot.position.view].lower()
    words = choice or f"{view}; choose its body site in its row"
    if choice and not choice.startswith(view):
        words += f" ({view})"
    st.session_state[_DONE] = Done(number, spot.position, words, before, site_before)
    st.session_state[_AT] = _free(numbered)  # set, not taken out: the field would have its old value again


def _pin(number: int, item: TrayItem) -> Pin:
    given = sites.chosen(st.session_state.get(item.key("site")))
    where = site(given.body_site, given.remark) or "no body site yet"
    return Pin(
        number,
        number,
        where,
        st.session_state.get(item.key("pin")),
        region_of(given.body_site, given.remark),
        _verdict(item),
    )


def _verdict(item: TrayItem) -> Verdict:
    if item.quality is None or item.prediction is None or not item.revealed:
        return "none"
    if not item.quality.reliable:
        return "unreliable"
    return "above" if item.prediction.above_melanoma_threshold else "below"
