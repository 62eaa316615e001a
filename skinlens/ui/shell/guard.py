"""Guard around Streamlit's server: who may ask, what a browser may do with an answer, what it may keep, and the page
itself.

The app listens on the loopback address, and yet a web page from anywhere runs in a browser of this computer. So a
request is answered only at the app's own address (a foreign name that was made to point here is refused) and only for
the app's own pages; no other page can frame it, embed its pictures, or open its websocket. What holds a patient is
never put into the browser's cache, and the browser itself is told that this app's pages load nothing from elsewhere.
The gate comes next: who has to sign in, and has not, gets no further.

``app.py`` puts it around the server, so that it holds for ``make app`` and for ``streamlit run app.py`` alike.
"""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, MutableMapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.formparsers import MultiPartParser
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit import config
from streamlit.runtime import Runtime

from skinlens.serve import BELIEVED, addresses, is_own_name
from skinlens.ui.shell import gate, headers, memory, shutdown, tab_sessions
from skinlens.ui.state import access, tabs

MB = 1024 * 1024
GOODBYES = (1000, 1001, 1005)
"""Codes with which a browser closes a websocket on purpose (RFC 6455, section 7.4)."""
OF_THE_PROGRAM = ("/static/", "/component/", "/_stcore/bidi-components/")
"""Paths that hold the program's own files, the same for everybody: these a browser may keep."""
CONNECTION, SESSION = "skinlens/connection.js", "skinlens/session.js"
_FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip")
PAGE = (
    # A browser's translation puts elements of its own into the page, on which Streamlit's next change of it fails; and
    # a translated reading is not what the model said.
    (b'<html lang="en">', b'<html lang="en" translate="no" class="notranslate">'),
    (
        b"<head>",
        b'<head>\n    <meta name="google" content="notranslate" />'
        b'\n    <script src="./' + CONNECTION.encode() + b'"></script>',
    ),
)
"""Replacements in Streamlit's page: the bytes there, and the bytes in their place."""
NOT_HERE = (
    "SkinLens does not answer here: it was asked for under the name {host!r}, which is not its own. Open it at the "
    "address that it printed when it started. If it is to be reached by that name, start it with --host."
)
FORWARDED = (
    "A proxy has forwarded this to SkinLens, which was started for this computer alone, without a login. Start it with "
    "--behind-proxy and the address of the proxy: docs/how-to/put-on-a-network.md."
)
NOT_YOURS = "This belongs to a page of somebody else."
NOT_FROM_THERE = "SkinLens answers its own pages only, and this was asked by another web page."
UNGUARDED = (
    "SkinLens was started in a way that leaves other web pages access to the cases, so it stops here. Start it with "
    "`make app` or `python -m skinlens serve`."
)


class Guard:
    """ASGI middleware, outermost."""

    stands = False
    """Whether a server of this process is guarded."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        # Starlette spools an upload to the disk from 1 MB on. A photo with all its metadata is to stay in memory.
        MultiPartParser.spool_max_size = (int(config.get_option("server.maxUploadSize")) + 1) * MB
        tab_sessions.bind()
        tabs.keep_answers()
        Guard.stands = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        problem = refusal(scope)
        if problem:
            await _refuse(problem, scope, receive, send)
            return
        admitted = await gate.admitted(_as_it_came(scope), receive, send)
        if admitted is None:
            return
        if not tab_sessions.may_reach(admitted):
            await _refuse(NOT_YOURS, scope, receive, send)
            return
        if scope["type"] == "websocket":
            watched = gate.Watched(admitted, receive, send)
            try:
                await self._app(admitted, _heard(watched.receive), watched.send)
            finally:
                await watched.close()
        else:
            with suppress(asyncio.CancelledError):  # told to end, and the time for what is under way is over
                await self._app(_unpacked(admitted), receive, _Answer(admitted, send))


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Say where the app is. Streamlit's own greeting is switched off: it asks another machine for the address of this
    one as soon as others are let in.
    """
    first, *others = opened_at()
    print(f"SkinLens: {first} (stop it with Ctrl+C)", file=sys.stderr)
    for address in others:
        print(f"From other computers: {address}", file=sys.stderr)
    async with shutdown.graceful(shutdown.running_server()), memory.collected():
        yield


def opened_at() -> tuple[str, ...]:
    """The addresses at which the app is opened: at this computer first, then those at which others reach it."""
    if where := access.public():
        return (where.geturl(),)
    host, port = str(config.get_option("server.address") or ""), config.get_option("server.port")
    urls = [
        f"http://{f'[{address}]' if ':' in address else address}:{port}{access.base()}" for address in addresses(host)
    ]
    return tuple(f"{url}/?token={access.token()}" if access.mode() == "token" else url for url in urls)


def must_stand() -> None:
    """Stop the page, and say so, where a server without the guard runs it."""
    if Runtime.exists() and type(Runtime.instance()) is Runtime and not Guard.stands:
        st.error(UNGUARDED)
        st.stop()


# ------------------------------------------------------------------------------------------------------ who may ask


def refusal(scope: Scope) -> str:
    """Reason why a request is not answered; empty: it is."""
    sent = Headers(scope=scope)
    host = sent.get("host", "")
    if len(sent.getlist("host")) != 1 or not _own(host):
        return NOT_HERE.format(host=host)
    if access.mode() != "login" and any(name in sent for name in _FORWARDED):
        return FORWARDED
    origin = sent.get("origin")
    if origin is None:  # a browser always names the page that opens a websocket
        return NOT_FROM_THERE if scope["type"] == "websocket" or _embedded(sent) else ""
    parts = urlsplit(origin)
    schemes = {"https"} if _is_public(host) else {"http", "https"}
    same = parts.scheme in schemes and parts.netloc.lower() == host.lower()
    return "" if same else NOT_FROM_THERE


def _as_it_came(scope: Scope) -> Scope:
    """The request with the address of its sender. Without a proxy nobody is believed who names another: uvicorn does
    believe a program of this computer, unless it was told whom to believe.
    """
    told = os.environ.get(BELIEVED) is not None or access.public() is not None
    return scope if told or "x-forwarded-for" not in Headers(scope=scope) else {**scope, "client": ("127.0.0.1", 0)}


def _is_public(host: str) -> bool:
    where = access.public()
    return where is not None and host.lower() == where.netloc


def _embedded(sent: Headers) -> bool:
    """Whether another page wants this as a part of it. To follow a link to the app is no such thing."""
    if sent.get("sec-fetch-site", "none") in {"none", "same-origin"}:
        return False
    return (sent.get("sec-fetch-mode"), sent.get("sec-fetch-dest")) != ("navigate", "document")


def _own(host: str) -> bool:
    """Whether a Host header names this server."""
    where = access.public()
    listening = str(config.get_option("server.address") or "")
    return is_own_name(host, listening, where.netloc if where else "", tuple(_added()))


def _added() -> Iterator[str]:
    """Names that whoever runs the app has allowed, with Streamlit's own setting."""
    return (str(name).strip().lower() for name in config.get_option("server.allowedHosts"))


async def _refuse(problem: str, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008, "reason": "not from here"})
        return
    sent = headers.of_every_answer() | {"cache-control": "no-store", "connection": "close"}
    await PlainTextResponse(problem, status_code=403, headers=sent)(scope, receive, send)


# -------------------------------------------------------------------------------------------------- what is answered


def _heard(receive: Receive) -> Receive:
    """The same, and whether the browser says goodbye (its tab is closed or reloaded) or is cut off."""

    async def hear() -> Message:
        message = await receive()
        memory.note_use()
        if message["type"] == "websocket.disconnect":
            tabs.CLOSED.set(message.get("code") in GOODBYES)
        return message

    return hear


def _unpacked(scope: Scope) -> Scope:
    """The same request for an answer that is not compressed, where the answer may be the page."""
    if _is_of_the_program(scope["path"]):
        return scope
    return {**scope, "headers": [(name, value) for name, value in scope["headers"] if name != b"accept-encoding"]}


class _Answer:
    """Sends on what Streamlit answers, with the headers that it lacks, and the page with what is put into it."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self._path, self._send = scope["path"], send
        self._get = scope["method"] == "GET"
        self._start: Message | None = None
        """Of the page, held back until its length is known."""
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            answer_headers = self._settled(message)
            is_html = answer_headers.get("content-type", "").startswith("text/html")
            if self._get and message["status"] == 200 and is_html:
                self._start = message
                return
        elif self._start is not None:
            self._body += message.get("body", b"")
            if message.get("more_body"):
                return
            page = completed(self._body)
            answer_headers = MutableHeaders(raw=self._start["headers"])
            answer_headers["content-length"] = str(len(page))
            for name in ("etag", "last-modified", "accept-ranges"):  # of the file, which is not what is sent
                del answer_headers[name]
            await self._send(self._start)
            message = {"type": "http.response.body", "body": page}
        await self._send(message)

    def _settled(self, message: MutableMapping[str, Any]) -> MutableHeaders:
        answer_headers = MutableHeaders(raw=message.setdefault("headers", []))
        for name in [name for name in answer_headers if name.lower().startswith("access-control-")]:
            del answer_headers[name]
        answer_headers.update(headers.of_every_answer())
        if access.tls():  # Streamlit knows nothing of the proxy's TLS
            for place, (name, value) in enumerate(message["headers"]):
                if name == b"set-cookie" and b"; secure" not in value.lower():
                    message["headers"][place] = (name, value + b"; Secure")
        if not _is_of_the_program(self._path):
            answer_headers["cache-control"] = "no-store"
        return answer_headers


def _is_of_the_program(path: str) -> bool:
    return path.removeprefix(access.base()).startswith(OF_THE_PROGRAM)


def completed(page: bytes) -> bytes:
    """Streamlit's page with what SkinLens puts into it."""
    for before, after in PAGE:
        page = page.replace(before, after, 1)
    if access.mode() == "login":
        page = page.replace(b"</head>", b'<script src="./' + SESSION.encode() + b'"></script></head>', 1)
    return page


async def _script(request: Request) -> Response:
    script = (Path(__file__).with_name(request.url.path.rpartition("/")[2])).read_bytes()
    return Response(script, media_type="text/javascript")


ROUTES = [Route(f"{access.base()}/{name}", _script, methods=["GET"]) for name in (CONNECTION, SESSION)]
MIDDLEWARE = [Middleware(Guard)]
