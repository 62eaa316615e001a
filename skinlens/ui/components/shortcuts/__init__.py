"""Keys for what is done often, on every page, with the list of them behind "?": a small Streamlit component.

A key does nothing while one types in a field, while a help icon, a menu or a list has the focus, while a dialog or a
popover is open, or together with Ctrl, Alt or Cmd. The keys can be turned off in their list, as WCAG 2.1 (success
criterion 2.1.4) asks of keys that are single characters; the browser remembers that.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_DONE = "shortcuts_done"
HERE = Path(__file__).parent
SAVE = "save_here"
"""Key of a page's button that keeps what was typed; there is at most one on a page."""
KEYS: tuple[tuple[str, str, str], ...] = (
    ("n", "next", "Next visit of the list; elsewhere the next page"),
    ("p", "previous", "Previous visit of the list; elsewhere the page before"),
    ("s", "save", "Save the case, or the changes to it"),
    ("0", "map-0", "Photo without a map"),
    ("1", "map-1", "Show Grad-CAM: over the photo; on “Why?” and “Compare” beside it"),
    ("2", "map-2", "Show Score-CAM"),
    ("3", "map-3", "Show LIME"),
    ("c", "compare", "Open or close the comparison of two pictures; on “Compare” go to the aligned pair"),
    ("b", "blink", "Blink between the two, or stop"),
    ("h", "style", "Heat or contour lines"),
    ("o", "outline", "Outline of the lesion over the photo, or none"),
    ("m", "more", "More opacity of the maps"),
    ("i", "less", "Less opacity of the maps"),
    ("w", "whole", "Whole photo"),
    ("l", "loupe", "Loupe: full detail below the pointer"),
    ("?", "help", "This list"),
)
"""Key, what it asks for, and that in words. Those of the pictures work where there are pictures."""


def listen(on_turn: Callable[[int], None], top: int) -> None:
    """The button that opens the list, and the keys; ``on_turn`` gets 1 for the next page and -1 for the one before.

    The page is scrolled to its top where ``top`` is another number than in the run before.
    """

    def turned() -> None:
        asked = getattr(st.session_state["shortcuts"], "turn", None)
        if asked and st.session_state.get(_DONE) != asked["number"]:
            st.session_state[_DONE] = asked["number"]  # a press comes again with the page that it led to
            on_turn(int(asked["by"]))

    _component()(
        key="shortcuts",
        data={
            "keys": [{"key": key, "action": action, "words": words} for key, action, words in KEYS],
            "save": SAVE,
            "top": top,
        },
        on_turn_change=turned,
        width="content",
    )


@cache
def _component() -> Callable[..., Any]:
    html, css, js = ((HERE / f"shortcuts.{kind}").read_text(encoding="utf-8") for kind in ("html", "css", "js"))
    return st.components.v2.component("skinlens_shortcuts", html=html, css=css, js=js, isolate_styles=False)
