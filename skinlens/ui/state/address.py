"""Address of a page, which names what is shown: so that reload, back and a link that is sent give the same list and the
same part.

Streamlit can bind a widget to the address by itself (``bind="query-params"``), but then refuses to switch pages by
program while such a value stands there. So the address is read and written here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from skinlens import whole_number

_STATE = "address"
_NAMES = ("q", "show", "order", "page", "look", "view", "topic", "search", "only", "by", "sheet")
_MOST_DIGITS = 9
"""Of a number in an address: Streamlit's fields for numbers take no more than JavaScript can count."""


@dataclass
class _Address:
    page: str | None = None
    written: dict[str, str | None] = field(default_factory=dict)
    """What this page wrote there last; a name that is missing was not drawn on it yet."""
    values: dict[str, Any] = field(default_factory=dict)
    """Values of the widgets, also while they are not drawn."""
    defaults: dict[str, Any] = field(default_factory=dict)


def _state() -> _Address:
    address: _Address = st.session_state.setdefault(_STATE, _Address())
    return address


def begin(page: str) -> None:
    """Begin each run of a page; on another page than before, what its address says counts anew."""
    state = _state()
    if state.page != page:
        state.page = page
        state.written.clear()


def seed(name: str, default: Any, options: Sequence[str] | None = None) -> None:
    """Give a widget, before it is drawn, what the address names, where that is not what was written there.

    Args:
        name: In the address, and key of the widget: one of ``_NAMES``.
        default: Its value where the address names none; a list for one of several choices, a number for a number.
        options: What may be chosen; None: any text, or any number from 1 on.
    """
    assert name in _NAMES, name
    state = _state()
    state.defaults[name] = default
    named = st.query_params.get(name)
    if (name not in state.written and named is not None) or (name in state.written and named != state.written[name]):
        st.session_state[name] = _read(named, default, options)
    elif name not in st.session_state:
        st.session_state[name] = state.values.get(name, default)


def note(name: str, value: Any) -> None:
    """Write a widget's value into the address once it was drawn, unless it is the default."""
    state = _state()
    state.values[name] = value
    state.written[name] = None if value == state.defaults[name] else _written(value)
    put(name, state.written[name])


def turn(name: str, value: Any) -> None:
    """Have a widget that is drawn next show this, whatever the address names."""
    st.session_state[name] = value
    _state().written[name] = st.query_params.get(name)


def forget(name: str) -> None:
    """Let go of a value, here and in the address: it may name what was erased."""
    state = _state()
    state.values.pop(name, None)
    state.written.pop(name, None)
    put(name, None)


def put(name: str, text: str | None) -> None:
    """Set a query parameter, or remove it with None; only on a change, since each one is a message to the browser."""
    if text is None:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != text:
        st.query_params[name] = text


def number(name: str) -> int | None:
    """The number that stands under a name in the address; None for anything else."""
    return _read(st.query_params.get(name), 0, None) or None


def step(**names: str | None) -> None:
    """Change several names, None: out of the address, in one step of the browser's history."""
    wanted = {**st.query_params.to_dict(), **names}
    st.query_params.from_dict({name: text for name, text in wanted.items() if text is not None})


def parts(name: str, draws: Mapping[str, Callable[[], None]]) -> None:
    """Parts of a page as tabs, of which only the open one is drawn, and named in the address."""
    titles = list(draws)
    seed(name, titles[0], titles)
    tabs = st.tabs(titles, key=name, on_change="rerun")
    note(name, st.session_state[name])
    for tab, draw in zip(tabs, draws.values(), strict=True):
        if tab.open:
            with tab:
                draw()


def _written(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value)


def _read(named: str | None, default: Any, options: Sequence[str] | None) -> Any:
    """The value of a text that anyone may have typed into the address."""
    if named is None:
        return default
    if isinstance(default, list):
        return [option for option in named.split(",") if options is None or option in options]
    if isinstance(default, int):
        return whole_number.of_text(named, _MOST_DIGITS) or default
    return named if options is None or named in options else default
