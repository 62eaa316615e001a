"""Cookies of the gate: their names, and the lines that set them. No script reads one, and the app is sent none."""

from streamlit import config

from skinlens.ui.state import access


def of_session() -> str:
    """Name of the session's."""
    return _name("skinlens")


def of_form() -> str:
    """Name of the one with the word that has to come back in a form."""
    return _name("skinlens-form")


def of_browser() -> str:
    """Name of the one by which accounts know a browser in which they have signed in before."""
    return _name("skinlens-browser")


def of_provider() -> str:
    """Name of the one that goes with a person to their provider and back."""
    return _name("skinlens-provider")


def own() -> frozenset[str]:
    """All of them."""
    return frozenset({of_session(), of_form(), of_browser(), of_provider()})


def line(name: str, value: str, *, max_age: int | None = None, same_site: str = "Strict") -> str:
    """The Set-Cookie header. ``max_age`` in seconds; None: until the browser is closed."""
    age = "" if max_age is None else f"; Max-Age={max_age}"
    secure = "; Secure" if access.tls() else ""
    return f"{name}={value}; Path={access.base() or '/'}{age}; HttpOnly; SameSite={same_site}{secure}"


def _name(word: str) -> str:
    """Without a proxy it has the port in it: a browser sends cookies to all ports of a computer."""
    if access.public() is None:
        return f"{word}-{config.get_option('server.port')}"
    return f"{'__Secure-' if access.base() else '__Host-'}{word}"
