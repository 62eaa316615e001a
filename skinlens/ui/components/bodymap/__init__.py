"""The body map: a drawn figure with a pin for each lesion, to choose one and to place one: a Streamlit component.

By mouse, touch or keyboard. What is placed goes to the app at once; the choice and the place come back from it, so the
map and the list beside it say the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, Literal, cast, get_args

import streamlit as st

from skinlens.body_sites import MAPPED
from skinlens.records import BODY_DRAWING, BodyPosition, BodyView
from skinlens.ui.components.bodymap.regions import VIEWS, Region

HERE = Path(__file__).parent
Verdict = Literal["above", "below", "unreliable", "none"]
"""Verdict on the latest photo: the side of the melanoma cut-off, or why there is none to show."""


@dataclass(frozen=True)
class Pin:
    """One lesion on the map."""

    lesion_id: int
    number: int
    """Shown on the pin, and in the list beside the map."""
    words: str
    """Site and state, as they are read aloud."""
    position: BodyPosition | None
    region: Region | None
    """Lights up while the lesion is chosen, placed or not; None: the site is no region of the drawing."""
    verdict: Verdict = "none"
    unsigned: bool = False


@dataclass(frozen=True)
class Spot:
    """Spot on the map where a person clicked or pressed Enter."""

    lesion_id: int | None
    """The lesion that was placed there; None: the spot of a new one."""
    position: BodyPosition
    region: Region | None
    """The region of the drawing there."""


@dataclass(frozen=True)
class Shown:
    """Content of the map."""

    pins: Sequence[Pin] = ()
    """The lesions, also those without a position."""
    chosen: int | None = None
    """Number of the lesion that is shown as chosen."""
    placing: tuple[int, str] | None = None
    """A lesion that the map is to begin placing, and a token of this wish: it is followed once for each."""
    spot: BodyPosition | None = None
    """Marked as the place of a lesion that is to be added."""
    region: Region | None = None
    """Lights up where no lesion is chosen: the site that a form beside the map names."""
    noun: str = "lesion"
    """What a pin stands for, as it is read aloud."""
    next_one: int | None = None
    """The pin that the button above the map places; None: a new one."""


def show(
    shown: Shown, *, key: str, on_spot: Callable[[Spot], None], on_choose: Callable[[int], None] | None = None
) -> None:
    """Draw the map.

    Args:
        shown: What is on it.
        key: Of the component.
        on_spot: Gets where a lesion was placed, or where a new one is wanted. It raises nothing.
        on_choose: Gets the lesion whose pin was pressed.
    """
    state_key = f"body-map-{key}"

    def fired(name: str, then: Callable[[Any], None]) -> Callable[[], None]:
        def call() -> None:
            if (sent := getattr(st.session_state[state_key], name, None)) is not None:
                then(sent)

        return call

    def choose(sent: Any) -> None:
        if on_choose and any(pin.lesion_id == sent for pin in shown.pins):
            on_choose(int(sent))

    def place(sent: Any) -> None:
        if (placed := spot_of(sent, [pin.lesion_id for pin in shown.pins])) is not None:
            on_spot(placed)

    spot, placing = shown.spot, shown.placing
    _component()(
        key=state_key,
        data={
            "pins": [_pin(pin) for pin in shown.pins],
            "chosen": shown.chosen,
            "placing": {"lesion": placing[0], "token": placing[1]} if placing else None,
            "spot": {"view": spot.view, "x": spot.x, "y": spot.y} if spot else None,
            "region": _region(shown.region),
            "noun": shown.noun,
            "next": shown.next_one,
        },
        on_choose_change=fired("choose", choose),
        on_spot_change=fired("spot", place),
    )


def spot_of(sent: object, lesions: Sequence[int]) -> Spot | None:
    """Spot that the browser sent, looked at as anything from outside; None for what is none."""
    if not isinstance(sent, Mapping):
        return None
    lesion, view, x, y = (sent.get(name) for name in ("lesion", "view", "x", "y"))
    if view not in get_args(BodyView) or (lesion is not None and lesion not in lesions):
        return None
    try:
        shares = float(cast(float, x)), float(cast(float, y))
    except (TypeError, ValueError):
        return None
    if not all(0 <= share <= 1 for share in shares):
        return None
    site, side = sent.get("site"), sent.get("side")
    region = Region(str(site), str(side) if side in {"left", "right"} else "") if site in MAPPED else None
    return Spot(lesion, BodyPosition(cast(BodyView, view), *shares), region)


def place_words(position: BodyPosition | None) -> str:
    """A lesion's place on the map in words."""
    return f"Placed on the map: {VIEWS[position.view].lower()}" if position else "Not placed on the map"


def _pin(pin: Pin) -> dict[str, Any]:
    at = pin.position
    return {
        "id": pin.lesion_id,
        "number": pin.number,
        "words": pin.words,
        "at": {"view": at.view, "x": at.x, "y": at.y} if at and at.drawing == BODY_DRAWING else None,
        **_region(pin.region),
        "verdict": pin.verdict,
        "unsigned": pin.unsigned,
    }


def _region(region: Region | None) -> dict[str, str]:
    return {"site": region.site if region else "", "side": region.side if region else ""}


def figure(view: BodyView) -> str:
    """The drawing of a view, as SVG markup: see ``figure/``."""
    return (HERE / "figure" / f"{view}.svg").read_text(encoding="utf-8")


def _view(view: BodyView) -> str:
    group = "body" if view in {"front", "back"} else "head"
    right, left = ("L", "R") if view in {"back", "head-back"} else ("R", "L")
    sides = "" if view in {"head-left", "head-right"} else f"<i>{right}</i><i>{left}</i>"
    return (
        f'<figure data-view="{view}" data-group="{group}"><div class="sl-body-plate" role="group" '
        f'aria-label="{escape(VIEWS[view])}">{figure(view)}<div class="sl-body-sides" aria-hidden="true">{sides}</div>'
        f'<div class="sl-body-pins"></div></div><figcaption>{escape(VIEWS[view])}</figcaption></figure>'
    )


@cache
def _component() -> Callable[..., Any]:
    views = "".join(_view(view) for view in VIEWS)
    return st.components.v2.component(
        "skinlens_body_map",
        html=(HERE / "body_map.html").read_text(encoding="utf-8").replace("VIEWS", views),
        css=(HERE / "body_map.css").read_text(encoding="utf-8"),
        js=(HERE / "body_map.js").read_text(encoding="utf-8"),
        isolate_styles=False,
    )


__all__ = ["VIEWS", "Pin", "Region", "Shown", "Spot", "figure", "place_words", "show", "spot_of"]
