"""Access to the app: how it is reached, whether people sign in, and the session of the browser that a page is run for.

The guard finds the session by the browser's cookie and writes its number into the request, from which it took out
whatever the browser itself had written there. A page reads that number and asks the accounts: so what a role may is
what it may now, not what it might when the page was opened.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Literal, TypeVar
from urllib.parse import SplitResult, urlsplit

import streamlit as st
from streamlit import config
from streamlit.runtime.scriptrunner import get_script_run_ctx

from skinlens import roles, whole_number
from skinlens.accounts import Accounts, Session, oidc_settings
from skinlens.accounts.oidc import Provider
from skinlens.errors import NotAllowed, StoreError
from skinlens.roles import LOCAL_USER, Right, Role
from skinlens.serve import BEHIND_PROXY, LOOPBACK, OIDC, TOKEN
from skinlens.store import default_home
from skinlens.store.database import CaseFolderGone

HEADERS = "x-skinlens-"
"""How every header begins that the guard alone may write."""
SESSION = f"{HEADERS}session"
CACHED_S = 1.0
"""Seconds for which an answer of the accounts holds."""
_MOST_KEPT = 1000
SIGNED_OUT = "You are signed out. Sign in again to go on."

Mode = Literal["login", "token", "open"]
"""People sign in; or who has opened the printed address is let in; or everybody who reaches the loopback address."""
Found = TypeVar("Found")


@dataclass(frozen=True)
class Who:
    """The person that a page is drawn for."""

    actor: str = LOCAL_USER
    role: Role = "admin"
    session: int | None = None
    """None: nobody signs in here."""
    issuer: str = ""
    """The OpenID provider that vouches for them; empty: their password is kept here."""

    def may(self, right: Right) -> bool:
        return roles.may(self.role, right)

    def refusal(self, right: Right) -> str:
        """Reason why not, for the help of what is disabled; empty where they may."""
        return "" if self.may(right) else roles.refusal(self.role, right)


class _Kept(Generic[Found]):
    """Answers for a moment, so that the hundred files of a page ask the accounts once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[object, tuple[float, Found]] = {}

    def get(self, key: object, ask: Callable[[], Found]) -> Found:
        now = time.monotonic()
        with self._lock:
            if key in self._found and now - self._found[key][0] < CACHED_S:
                return self._found[key][1]
        answer = ask()
        with self._lock:
            if len(self._found) >= _MOST_KEPT:
                self._found.clear()
            self._found[key] = (now, answer)
        return answer

    def forget(self) -> None:
        with self._lock:
            self._found.clear()


_SESSIONS: _Kept[Session | None] = _Kept()
_ANY: _Kept[bool] = _Kept()
_PROVIDERS: dict[str, Provider] = {}
"""By the file with its settings, which are read once."""
_SIGN_IN: set[Path] = set()
"""Case folders for which people had to sign in once in this process."""


def base() -> str:
    """The path below which the app is reached, without a slash at its end; empty: the root."""
    path = str(config.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{path}" if path else ""


def public() -> SplitResult | None:
    """The address at which a proxy forwards to the app; None: it is reached directly."""
    address = os.environ.get(BEHIND_PROXY, "").strip()
    return urlsplit(address) if address else None


def tls() -> bool:
    """Whether the browser comes by https."""
    return public() is not None or bool(config.get_option("server.sslCertFile"))


def token() -> str:
    """Token of the printed address; empty: nothing is asked for."""
    return os.environ.get(TOKEN, "").strip()


def mode() -> Mode:
    """Whether people sign in: where others than this computer reach the app, and wherever there are accounts.

    An app in which people have to sign in stays one until it is started again: to remove the last account, or to lose
    the file of the accounts, opens it to nobody.
    """
    home = default_home()
    reached = public() is not None or str(config.get_option("server.address") or "") not in LOOPBACK
    if home in _SIGN_IN or reached or provider() is not None or _ANY.get(home, _there_are_any):
        _SIGN_IN.add(home)
        return "login"
    return "token" if token() else "open"


def _there_are_any() -> bool:
    try:
        return accounts().there_are_any()
    except CaseFolderGone:  # of which there were none while it was there; each page says that it is gone
        return False


def provider() -> Provider | None:
    """The OpenID provider where people sign in; None: with passwords of their own alone. Raises ServeError."""
    named = os.environ.get(OIDC, "").strip()
    if not named:
        return None
    if named not in _PROVIDERS:
        _PROVIDERS[named] = Provider(oidc_settings.read(Path(named)))
    return _PROVIDERS[named]


def accounts() -> Accounts:
    return Accounts(default_home())


def session_of(cookie: str) -> Session | None:
    """Session of a cookie; None without one, and where a local one meets accounts or the reverse."""
    if not cookie:
        return None
    session = _SESSIONS.get((default_home(), cookie), lambda: accounts().session(cookie))
    return session if session and (session.actor == LOCAL_USER) == (mode() == "token") else None


def ended(number: int) -> bool:
    """Whether the session of that number is over; one that cannot be asked for is not."""
    try:
        return _SESSIONS.get((default_home(), number), lambda: accounts().session_by_id(number)) is None
    except StoreError:
        return False


def forget() -> None:
    """Ask the accounts anew: somebody has just signed in or out."""
    _SESSIONS.forget()
    _ANY.forget()


def here() -> Who:
    """Person for whom the page is being run. Raises NotAllowed where they have signed out meanwhile."""
    if mode() != "login":
        return Who()
    number = _number()
    session = _SESSIONS.get((default_home(), number), lambda: accounts().session_by_id(number))
    if session is None or session.actor == LOCAL_USER:
        raise NotAllowed(SIGNED_OUT)
    return Who(session.actor, session.role, session.id, session.issuer)


def owner() -> str:
    """Account that owns the unsaved work of this page; empty where nobody is signed in any more."""
    try:
        return here().actor
    except NotAllowed:
        return ""


def _number() -> int:
    """The number of the session that the guard wrote into the request; 0: none."""
    if get_script_run_ctx(suppress_warning=True) is None:
        return 0
    written = st.context.headers.get(SESSION, "")
    return whole_number.of_text(written) or 0
