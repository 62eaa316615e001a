"""The gate: who has not signed in reaches the page for it, and nothing else.

It stands in the guard, before Streamlit: pages, files, uploads and websockets alike. The browser holds a random token
in a cookie that no script can read; the accounts hold its hash. A session that ends, by being idle, by age, or by being
signed out, takes the connections of its pages with it, within seconds; what they hold unsaved stays for an hour.
"""

import asyncio
import secrets
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import Headers
from starlette.requests import Request, cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Message, Receive, Scope, Send

from skinlens.accounts import Session
from skinlens.accounts.sessions import LOCAL_IDLE_S
from skinlens.accounts.signing_in import KNOWN_S
from skinlens.errors import StoreError
from skinlens.ui.shell import cookies, own_pages, own_password, plain_forms, provider_gate
from skinlens.ui.state import access

ENDED = 4403
"""Code with which a websocket of a session that has ended is closed."""
LOOK_S = 1.0
"""Interval between two looks whether the session of a connection has ended."""
FILES = ("/_stcore/", "/media/", "/static/", "/component/", "/skinlens/")
"""Paths at which there is no page that a browser could be led back to."""
STATE, ALIVE = "/skinlens/session", "/skinlens/alive"
NO_ACCOUNTS = "There is no account yet. On the computer that runs SkinLens, type: skinlens user add NAME --role admin"
UNAUTHORIZED = "Sign in to use SkinLens."


async def admitted(scope: Scope, receive: Receive, send: Send) -> Scope | None:
    """The request as the app may see it; None: it was answered here."""
    mode = access.mode()
    clean, sent = _cleaned(scope)
    if mode == "open":
        return clean
    path = scope["path"].removeprefix(access.base())
    try:
        session = access.session_of(sent.get(cookies.of_session(), ""))
        if scope["type"] == "websocket":
            if session is None:
                await _refuse_websocket(scope, receive, send)
                return None
            return _for_session(clean, session)
        answer = await _answered(Request(scope, receive), path, session, sent)
    except StoreError as error:
        await _end(scope, receive, send, PlainTextResponse(str(error), 503, headers=plain_forms.plain()))
        return None
    if answer is not None:
        await answer(scope, receive, send)
        return None
    assert session is not None
    if _is_page(scope, path) or scope["method"] == "PUT":
        access.accounts().note_seen(session)
    return _for_session(clean, session)


async def _answered(
    request: Request, path: str, session: Session | None, sent: MutableMapping[str, str]
) -> Response | None:
    """What the gate itself answers; None: it lets the request through."""
    if access.mode() == "login" and path == own_pages.LOGIN:
        return await _login(request, session, sent)
    if path in provider_gate.PATHS and (provider := access.provider()) is not None:
        try:
            return await provider_gate.answer(request, path, provider, sent)
        except provider_gate.Refused as refused:
            return _with_form(sent, own_pages.destination(""), problem=str(refused), status=403)
    if access.mode() == "token" and request.method == "GET" and _fits(request.query_params.get("token", "")):
        return _let_in(request)
    if session is not None:
        if path == STATE and request.method == "GET":
            return _left(session)
        if path == ALIVE and request.method == "POST":
            access.accounts().note_seen(session)
            access.forget()
            return _left(access.session_of(sent.get(cookies.of_session(), "")) or session)
        if access.mode() == "login" and path == own_password.PATH:
            return await own_password.page(request, session, sent)
        return None
    if not _is_page(request.scope, path):
        return PlainTextResponse(UNAUTHORIZED, 401, headers=plain_forms.plain())
    if access.mode() == "token":
        return own_pages.knock()
    asked = own_pages.destination(request.url.path + (f"?{request.url.query}" if request.url.query else ""))
    first = asked == f"{access.base()}/"
    query = "" if first else f"?{urlencode({'next': asked})}"
    return plain_forms.redirect(f"{access.base()}{own_pages.LOGIN}{query}")


# ------------------------------------------------------------------------------------------------------- signing in


async def _login(request: Request, session: Session | None, sent: MutableMapping[str, str]) -> Response:
    if request.method == "POST":
        return await _signed_in(request, session, sent)
    to = own_pages.destination(request.query_params.get("next", ""))
    if request.method not in {"GET", "HEAD"}:
        return plain_forms.refused_method()
    if session is not None:
        return plain_forms.redirect(to)
    problem = "" if access.provider() or access.accounts().there_are_any() else NO_ACCOUNTS
    why = "You were signed out after a time without use. What you had not saved is held for an hour."
    return _with_form(sent, to, problem=problem, said=why if request.query_params.get("why") == "idle" else "")


async def _signed_in(request: Request, session: Session | None, sent: MutableMapping[str, str]) -> Response:
    typed = await plain_forms.typed(request)
    to = own_pages.destination(typed.get("next", ""))
    if not plain_forms.is_own(request, typed, sent):
        if session is not None:  # signed in by the form of another tab, meanwhile
            return plain_forms.redirect(to)
        return _with_form(sent, to, problem=plain_forms.STALE, name=typed.get("name", ""), status=400)
    name, known = typed.get("name", ""), sent.get(cookies.of_browser(), "")
    before = sent.get(cookies.of_session(), "")
    token = await plain_forms.token_for(
        lambda: access.accounts().sign_in(
            name, typed.get("password", ""), **plain_forms.came_from(request), instead_of=before, known=known
        ),
        lambda problem, status: _with_form(sent, to, problem=problem, name=name, status=status),
    )
    if isinstance(token, Response):
        return token
    answer = plain_forms.with_session(plain_forms.redirect(to), token)
    known = access.accounts().know_browser(token, known)
    answer.headers.append("set-cookie", cookies.line(cookies.of_browser(), known, max_age=int(KNOWN_S)))
    return answer


def _with_form(
    sent: MutableMapping[str, str], to: str, *, problem: str = "", said: str = "", name: str = "", status: int = 200
) -> Response:
    """The form with a word, which the browser holds in a cookie and has to send back in the form."""
    word = plain_forms.word_for(sent)
    provider = access.provider()
    answer = own_pages.sign_in(
        to, word, problem=problem, said=said, name=name, status=status, provider=provider.name if provider else ""
    )
    return plain_forms.with_word(answer, word)


def _fits(token: str) -> bool:
    return secrets.compare_digest(token.encode(), access.token().encode())


def _let_in(request: Request) -> Response:
    """Who opened the printed address: it is exchanged for a cookie, and goes from the address."""
    token = access.accounts().admit_local(**plain_forms.came_from(request))
    access.forget()
    rest = urlencode([pair for pair in request.query_params.multi_items() if pair[0] != "token"])
    answer = plain_forms.redirect(own_pages.destination(request.url.path + (f"?{rest}" if rest else "")))
    answer.headers.append("set-cookie", cookies.line(cookies.of_session(), token, max_age=int(LOCAL_IDLE_S)))
    return answer


def _cleaned(scope: Scope) -> tuple[Scope, dict[str, str]]:
    """The request without what the guard alone may write and without the gate's cookies; and all cookies."""
    sent: dict[str, str] = {}
    headers: list[tuple[bytes, bytes]] = []
    for name, value in scope["headers"]:
        if name.startswith(access.HEADERS.encode()):
            continue
        if name == b"cookie":
            browser_cookies = cookie_parser(value.decode("latin-1"))
            sent |= browser_cookies
            rest = [f"{cookie}={word}" for cookie, word in browser_cookies.items() if cookie not in cookies.own()]
            if not rest:
                continue
            value = "; ".join(rest).encode("latin-1", "replace")
        headers.append((name, value))
    return {**scope, "headers": headers}, sent


def _for_session(scope: Scope, session: Session) -> Scope:
    return {
        **scope,
        "headers": [*scope["headers"], (access.SESSION.encode(), str(session.id).encode())],
        "skinlens.session": session.id,
    }


# --------------------------------------------------------------------------------------------------------- answering


def _is_page(scope: Scope, path: str) -> bool:
    """Whether a browser asks for a page that it shows."""
    wanted = Headers(scope=scope)
    shown = wanted.get("sec-fetch-mode", "navigate") == "navigate" and "text/html" in wanted.get("accept", "")
    return scope["method"] in {"GET", "HEAD"} and shown and not path.startswith(FILES)


def _left(session: Session) -> Response:
    return JSONResponse({"left": round(session.left_s, 1)}, headers=plain_forms.plain())


async def _end(scope: Scope, receive: Receive, send: Send, answer: Response) -> None:
    if scope["type"] == "websocket":
        await _refuse_websocket(scope, receive, send)
    else:
        await answer(scope, receive, send)


async def _refuse_websocket(scope: Scope, receive: Receive, send: Send) -> None:
    """Taken and closed at once: a browser tells its page the code of a connection that was open, and no other."""
    await receive()
    first = next(iter(scope.get("subprotocols") or []), None)
    await send({"type": "websocket.accept", "subprotocol": first})
    await send({"type": "websocket.close", "code": ENDED, "reason": "signed out"})


class Watched:
    """The two ends of a websocket, which are cut when its session ends."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._id: int | None = scope.get("skinlens.session")
        self._receive, self._send = receive, send
        self._waiting: asyncio.Task[Message] | None = None
        self._cut = False

    async def receive(self) -> Message:
        if self._id is None:
            return await self._receive()
        while True:
            if self._cut or access.ended(self._id):
                return await self._end()
            if self._waiting is None:
                self._waiting = asyncio.ensure_future(_awaited(self._receive))
            done, _ = await asyncio.wait({self._waiting}, timeout=LOOK_S)
            if not done:
                continue
            message, self._waiting = self._waiting.result(), None
            if message["type"] == "websocket.disconnect":
                access.forget()
                self._cut = access.ended(self._id)  # its page was left because of that, and is not told again
            if not access.ended(self._id):
                return message

    async def send(self, message: Message) -> None:
        if not self._cut:
            await self._send(message)

    async def close(self) -> None:
        """Nobody listens any more."""
        if self._waiting is not None:
            self._waiting.cancel()
            with suppress(asyncio.CancelledError):
                await self._waiting

    async def _end(self) -> Message:
        access.forget()  # its page asks at once, by its cookie, whether that is so
        if not self._cut:
            await self._send({"type": "websocket.close", "code": ENDED, "reason": "signed out"})
        self._cut = True
        return {"type": "websocket.disconnect", "code": ENDED}


async def _awaited(receive: Receive) -> MutableMapping[str, Any]:
    return await receive()
