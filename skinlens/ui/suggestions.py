"""Words that a text field offers while one types; what is typed stays as it is, also without Enter."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import streamlit as st

BODY_SITE = "Body site"
"""The label of every field that is offered body sites."""

_SCRIPT = """
const LIST = "sl-body-sites";

export default function ({ data }) {
  let list = document.getElementById(LIST);
  if (!list) {
    list = Object.assign(document.createElement("datalist"), { id: LIST });
    document.body.append(list);
    document.addEventListener("focusin", ({ target }) => {
      if (target.matches?.(`input[aria-label="${list.dataset.label}"]`)) target.setAttribute("list", LIST);
    });
  }
  list.dataset.label = data.label;
  list.replaceChildren(...data.words.map((value) => Object.assign(document.createElement("option"), { value })));
}
"""


def offer(sites: Sequence[str], *, key: str = "body_sites") -> None:
    """Offer these in each field that is named ``BODY_SITE``; each ``key`` once on a page."""
    _component()(key=key, data={"label": BODY_SITE, "words": list(sites)})


@cache
def _component() -> Callable[..., Any]:
    return st.components.v2.component("skinlens_suggestions", js=_SCRIPT, isolate_styles=False)
