"""What became of a save, said beside the button that was pressed."""

import streamlit as st

from skinlens.errors import SkinLensError
from skinlens.ui.words import plain

_SAID = "settings_said"


def done(section: str, words: str) -> None:
    """Confirm it in that section when the page is drawn next."""
    st.session_state[_SAID] = (section, "done", words)


def problem(section: str, error: SkinLensError) -> None:
    """The same for what was not saved, and why."""
    st.session_state[_SAID] = (section, "problem", str(error))


def show(section: str) -> None:
    """Draw what there is to say of this section, once."""
    found: tuple[str, str, str] | None = st.session_state.get(_SAID)
    if found is None or found[0] != section:
        return
    del st.session_state[_SAID]
    _, kind, words = found
    if kind == "done":
        st.success(plain(words), icon=":material/check:")
    else:
        st.error(plain(words))
