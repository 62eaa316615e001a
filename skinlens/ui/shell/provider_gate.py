"""The gate's way to an OpenID provider and back.

Between the two the browser holds a signed cookie with what has to come back; it is good for ten minutes and for one
return. It is ``SameSite=Lax``: a browser sends no other when it comes from the provider's page. For the same reason the
return is answered by a page that leads on by itself: a redirect would come without the session's strict cookie.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import sys
import time
from collections.abc import MutableMapping
from dataclasses import asdict

from starlette.requests import Request
from starlette.responses import Response

from skinlens.accounts import SignInRefused
from skinlens.accounts.id_token import NotBelieved
from skinlens.accounts.oidc import Begun, Provider
from skinlens.ui.shell import cookies, own_pages, plain_forms
from skinlens.ui.state import access

BEGIN, BACK, LEAVE = "/skinlens/oidc/begin", "/skinlens/oidc/back", "/skinlens/oidc/leave"
PATHS = (BEGIN, BACK, LEAVE)
TIME_S = 600
NOT_OURS = "This sign-in took too long, or was not begun in this browser. Please sign in again."
NOT_THERE = "You were not signed in there. Try again, or ask an admin."
_KEY = secrets.token_bytes(32)
_AT_ONCE = asyncio.Semaphore(4)
_used: dict[str, float] = {}
"""States that came back, until when they could come again. Read and written on the server's event loop alone."""


class Refused(Exception):
    """Shown on the page for signing in."""


async def answer(request: Request, path: str, provider: Provider, sent: MutableMapping[str, str]) -> Response:
    """The answer on the way there, on the way back, and to who signs out there. Raises Refused."""
    if request.method != "GET":
        return plain_forms.refused_method()
    try:
        if path == BEGIN:
            return await _begun(request, provider)
        if path == LEAVE:
            to = await asyncio.to_thread(provider.leave, f"{_here(request)}{own_pages.LOGIN}")
            return plain_forms.redirect(to or f"{access.base()}{own_pages.LOGIN}")
        return await _back(request, provider, sent)
    except NotBelieved as problem:
        print(f"skinlens: a sign-in at {provider.name} was refused. {problem}", file=sys.stderr)
        raise Refused(NOT_THERE) from problem
    except SignInRefused as problem:
        raise Refused(str(problem)) from problem


async def _begun(request: Request, provider: Provider) -> Response:
    to = own_pages.destination(request.query_params.get("next", ""))
    async with _AT_ONCE:
        address, begun = await asyncio.to_thread(provider.begin, f"{_here(request)}{BACK}")
    leaving = plain_forms.redirect(address)
    cookie = _sealed({**asdict(begun), "next": to, "until": time.time() + TIME_S})
    leaving.headers.append("set-cookie", cookies.line(cookies.of_provider(), cookie, max_age=TIME_S, same_site="Lax"))
    return leaving


async def _back(request: Request, provider: Provider, sent: MutableMapping[str, str]) -> Response:
    begun, to = _kept(sent.get(cookies.of_provider(), ""), request.query_params.get("state", ""))
    if request.query_params.get("iss", provider.settings.issuer) != provider.settings.issuer:
        raise NotBelieved("The answer names another issuer.")
    code = request.query_params.get("code", "")
    if not code or "error" in request.query_params:
        raise Refused(NOT_THERE)
    came_from, before = plain_forms.came_from(request), sent.get(cookies.of_session(), "")

    def entered() -> str:
        who = provider.person(code, begun)
        return access.accounts().enter(who, **came_from, instead_of=before)

    async with _AT_ONCE:
        token = await asyncio.to_thread(entered)
    access.forget()
    arrived = own_pages.arrived(to)
    arrived.headers.append("set-cookie", cookies.line(cookies.of_session(), token))
    arrived.headers.append("set-cookie", cookies.line(cookies.of_provider(), "", max_age=0, same_site="Lax"))
    return arrived


def _here(request: Request) -> str:
    """The address at which the browser reaches us. The guard let in none but our own names."""
    where = access.public()
    if where is not None:
        return where.geturl()
    return f"{'https' if access.tls() else 'http'}://{request.headers['host']}{access.base()}"


def _sealed(content: dict[str, object]) -> str:
    text = base64.urlsafe_b64encode(json.dumps(content).encode()).decode("ascii")
    return f"{text}.{_seal(text)}"


def _kept(cookie: str, state: str) -> tuple[Begun, str]:
    """What was begun in this browser, and where it leads. Raises Refused: nothing, or it is over, or it came before."""
    text, _, seal = cookie.partition(".")
    if not text or not state or not hmac.compare_digest(seal.encode(), _seal(text).encode()):
        raise Refused(NOT_OURS)
    content = json.loads(base64.urlsafe_b64decode(text))
    until, to = float(content.pop("until")), str(content.pop("next"))
    begun, now = Begun(**content), time.time()
    for expired in [used_state for used_state, end in _used.items() if end < now]:
        del _used[expired]
    if until < now or begun.state in _used or not hmac.compare_digest(state.encode(), begun.state.encode()):
        raise Refused(NOT_OURS)
    _used[begun.state] = until
    return begun, to


def _seal(text: str) -> str:
    return hmac.new(_KEY, text.encode(), hashlib.sha256).hexdigest()
