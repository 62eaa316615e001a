"""The browsers in which one is signed in: each can be signed out from here, and all at once."""

import re
from datetime import datetime

import streamlit as st

from skinlens.accounts import Device
from skinlens.roles import described as described_role
from skinlens.ui.components.text import plain
from skinlens.ui.state import access

_BROWSERS = ("Edg", "OPR", "Firefox", "Chrome", "Safari")
"""Product names, in the order in which they are looked for: a browser's header also names products further down."""
_CALLED = {"Edg": "Edge", "OPR": "Opera"}
_SYSTEMS = {
    "Windows": "Windows", "iPhone": "iPhone", "iPad": "iPad", "Android": "Android", "Mac OS": "macOS", "Linux": "Linux"
}  # fmt: skip


def section() -> None:
    """Nothing where nobody signs in."""
    who = access.here()
    if who.session is None:
        return
    st.header("Signed in")
    st.markdown(plain(f"{who.actor} ({who.role}). {described_role(who.role)}"))
    with st.container(border=True):
        devices = access.accounts().devices(who.actor)
        for device in devices:
            _row(who, device)
        if len(devices) > 1:
            st.button(
                "Sign out everywhere", icon=":material/logout:", key="devices_all", on_click=_end, args=(who, None)
            )
    if not who.issuer:
        st.markdown(f"Sign out what is not yours, then [change your password]({access.base()}/skinlens/password).")
    else:
        st.caption("Sign out what is not yours, and change your password where you signed in.")


def _row(who: access.Who, device: Device) -> None:
    seen = datetime.fromtimestamp(device.seen_at).astimezone()
    here = " (this browser)" if device.id == who.session else ""
    with st.container(horizontal=True, vertical_alignment="center"):
        where = f"at {plain(device.address)}, " if device.address else ""
        st.markdown(
            f"**{plain(described(device.browser))}**{here}  \n{where}last used {plain(f'{seen:%Y-%m-%d %H:%M}')}",
            width="stretch",
        )
        st.button(
            "Sign out",
            key=f"device_{device.id}",
            help=f"Sign out {plain(described(device.browser))}",
            on_click=_end,
            args=(who, device.id),
        )


def _end(who: access.Who, number: int | None) -> None:
    access.accounts().end(who.actor, number)
    access.forget()


def described(user_agent: str) -> str:
    """A User-Agent header in words, as far as it is one of a common browser."""
    browser = next(
        (_CALLED.get(product, product) for product in _BROWSERS if re.search(rf"\b{product}\w*/", user_agent)),
        "A browser",
    )
    system = next((name for sign, name in _SYSTEMS.items() if sign in user_agent), "")
    return f"{browser} on {system}" if system else browser
