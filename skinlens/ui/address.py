"""What a page shows, in its address: so that reload, back and a link that is sent give the same list and the same part.

Streamlit can bind a widget to the address by itself (``bind="query-params"``), but then refuses to switch pages by
program while such a value stands there. So the address is read and written here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

_STATE = "address"
_NAMES = ("q", "show", "order", "page", "look", "view", "topic")


@dataclass
class _Address:
    page: str | None = None
    written: dict[str, str | None] = field(default_factory=dict)
    """What this page wrote there last; a name that is missing was not drawn on it yet."""
    kept: dict[str, Any] = field(default_factory=dict)
    """Values of the widgets, also while they are not drawn."""


def _state() -> _Address:
    found: _Address = st.session_state.setdefault(_STATE, _Address())
    return found


def begin(page: str) -> None:
    """At the start of each run: which page is drawn. On another than before, its address counts anew."""
    state = _state()
    if state.page != page:
        state.page = page
        state.written.clear()


def seed(name: str, key: str, default: Any, options: Sequence[str] | None = None) -> None:
    """Before a widget is drawn: give it what the address names, where that is not what was written there.

    Args:
        name: In the address, one of ``_NAMES``.
        key: Of the widget.
        default: Its value where the address names none; a list for one of several choices, a number for a number.
        options: What may be chosen; None: any text, or any number from 1 on.
    """
    assert name in _NAMES, name
    state = _state()
    named = st.query_params.get(name)
    if (name not in state.written and named is not None) or (name in state.written and named != state.written[name]):
        st.session_state[key] = _read(named, default, options)
    elif key not in st.session_state:
        st.session_state[key] = state.kept.get(name, default)


def note(name: str, value: Any, default: Any) -> None:
    """After a widget was drawn: write its value into the address, unless it is the default."""
    state = _state()
    state.kept[name] = value
    text = None if value == default else _written(value)
    state.written[name] = text
    if text is None:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != text:
        st.query_params[name] = text


def forget(name: str) -> None:
    """Let go of a value, here and in the address: it may name what was erased."""
    state = _state()
    state.kept.pop(name, None)
    state.written.pop(name, None)
    if name in st.query_params:
        del st.query_params[name]


def _written(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _read(named: str | None, default: Any, options: Sequence[str] | None) -> Any:
    """The value of a text that anyone may have typed into the address."""
    if named is None:
        return default
    if isinstance(default, list):
        return [one for one in named.split(",") if options is None or one in options]
    if isinstance(default, int):
        return int(named) if named.isascii() and named.isdigit() and int(named[:9]) >= 1 else default
    return named if options is None or named in options else default
