"""Guard in front of the API: under which name it is asked, by whom, how many at once; and the headers of every answer.

No route is reached without a token, and nothing is read of a body before. What goes wrong inside is answered in a
sentence and logged without anything that was sent: no path, no token, no text of an error, which may quote either.
"""

import asyncio
import logging
import traceback
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from skinlens.accounts import Token, TokenRefused, Tokens
from skinlens.api.responses import HEADERS, Refusal, of_error, refused
from skinlens.errors import SkinLensError

MOST_AT_ONCE = 16
"""Requests with a token that are answered at a time: each may hold a photo of 25 MB."""
MOST_REFUSED = 64
"""Wrong tokens that wait at a time to be counted; those beyond are refused all the same."""
NOT_HERE = (
    "The SkinLens API does not answer under the name {host!r}. Ask it at the address that it printed when it started; "
    "to reach it by another name, start it with --host or --behind-proxy."
)
NOT_SHOWN = (
    "A token is needed: send the header “Authorization: Bearer TOKEN”. One is made with `skinlens api token add NAME "
    "--role reader` on the computer that SkinLens runs on."
)
UNKNOWN = "This token lets nobody in: it is mistyped, or was revoked. Ask whoever runs SkinLens for a new one."
TOO_MANY_WRONG = "Too many wrong tokens came from this address. Wait {seconds} seconds, then send the right one."
BUSY = "SkinLens is answering as many requests as it can. Try again in a moment."
ENDING = "SkinLens was told to end before this was answered. Send it again once it runs; no photo waits twice."
FAULT = "A fault in SkinLens kept this from being answered. Its log says where."

_LOG = logging.getLogger(__name__)


class Guard:
    """ASGI middleware, outermost.

    Args:
        app: What is guarded.
        tokens: Whom it lets in.
        own_name: Whether a Host header names this server.
        strict_transport: Whether programs are told to come by TLS alone.
    """

    def __init__(
        self, app: ASGIApp, tokens: Tokens, own_name: Callable[[str], bool], *, strict_transport: bool = False
    ) -> None:
        self._app, self._tokens, self._own_name = app, tokens, own_name
        self._headers = dict(HEADERS)
        if strict_transport:
            self._headers["strict-transport-security"] = "max-age=31536000"
        self._at_work = self._wrong = 0
        self._counting = CapacityLimiter(1)  # so that wrong tokens take no thread that a right one is looked up in

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        answer = _Answer(send, self._headers)
        try:
            await self._answered(scope, receive, answer)
        except ClientDisconnect:
            pass  # nobody is there to be told
        except asyncio.CancelledError:  # the server was told to end, and the time for what was under way is over
            if not answer.begun:
                await refused(503, "Ending", ENDING)(scope, receive, answer)
        except SkinLensError as error:
            if not answer.begun:
                await of_error(error)(scope, receive, answer)
        except Exception as error:  # noqa: BLE001  its text may hold what was sent, so it must not reach the server's log
            _LOG.error("a request could not be answered: %s", _where(error))
            if not answer.begun:
                await refused(500, "Fault", FAULT)(scope, receive, answer)

    async def _answered(self, scope: Scope, receive: Receive, send: Send) -> None:
        sent = Headers(scope=scope)
        host = sent.get("host", "")
        if len(sent.getlist("host")) != 1 or not self._own_name(host):
            raise Refusal(421, "NotHere", NOT_HERE.format(host=host[:200]))
        scope.setdefault("state", {})["token"] = await self._admitted(sent, (scope.get("client") or ("",))[0])
        if self._at_work >= MOST_AT_ONCE:
            raise Refusal(503, "Busy", BUSY, {"retry-after": "1"})
        self._at_work += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._at_work -= 1

    async def _admitted(self, sent: Headers, address: str) -> Token:
        given = sent.getlist("authorization")
        scheme, _, secret = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not secret.strip():
            raise Refusal(401, "NoToken", NOT_SHOWN, {"www-authenticate": 'Bearer realm="SkinLens"'})
        challenge = 'Bearer realm="SkinLens", error="invalid_token"'
        try:
            token = await run_sync(self._tokens.find, secret.strip())
        except TokenRefused as error:
            _LOG.warning("token %d is refused: %s", error.number, error)
            await self._counted(address)
            raise Refusal(401, "TokenRefused", str(error), {"www-authenticate": challenge}) from error
        if token is not None:
            return token
        wait_s = await self._counted(address)
        if wait_s > 0:
            seconds = str(int(wait_s) + 1)
            raise Refusal(429, "TooMany", TOO_MANY_WRONG.format(seconds=seconds), {"retry-after": seconds})
        raise Refusal(401, "WrongToken", UNKNOWN, {"www-authenticate": challenge})

    async def _counted(self, address: str) -> float:
        """As ``Tokens.refuse``; 0 where so many are being counted that it was left out."""
        if self._wrong >= MOST_REFUSED:
            return 0.0
        self._wrong += 1
        try:
            return await run_sync(self._tokens.refuse, address, limiter=self._counting)
        finally:
            self._wrong -= 1


class _Answer:
    """Sends on an answer with the headers of all. After a refusal the connection ends: what follows of a body that was
    not read is not to be taken for the next request.
    """

    def __init__(self, send: Send, headers: MutableMapping[str, str]) -> None:
        self._send, self._headers = send, headers
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = MutableHeaders(raw=message.setdefault("headers", []))
            headers.update(self._headers)
            if message["status"] >= 400:
                headers["connection"] = "close"
        await self._send(message)


def _where(error: BaseException) -> str:
    """Kind of an error and the place in the code where it came up."""
    frames: list[Any] = traceback.extract_tb(error.__traceback__)
    place = f" in {Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{place}"
