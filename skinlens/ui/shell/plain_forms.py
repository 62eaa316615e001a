"""Forms of the gate's own pages: read, known as our own, and answered, without Streamlit."""

import asyncio
import re
import secrets
from collections.abc import Callable, MutableMapping
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from skinlens.accounts import SignInRefused
from skinlens.ui.shell import cookies, headers
from skinlens.ui.state import access

STALE = "This form was open for too long, or was sent from elsewhere. Please fill it in again."
_MOST_FORM_BYTES = 8192
_AT_ONCE = asyncio.Semaphore(2)
"""Each look at a password takes 64 MB for a moment."""
_WORD = re.compile(r"[\w-]{43}", re.ASCII)
Again = Callable[[str, int], Response]
"""Draws the form again: from a sentence on the mistake, and a status."""


async def typed(request: Request) -> dict[str, str]:
    """The fields of a form; none of one that is too long or no form."""
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return {}
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_FORM_BYTES:
            return {}
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=10))


def is_own(request: Request, fields: dict[str, str], sent: MutableMapping[str, str]) -> bool:
    """Whether a form is one that we gave to this browser: its word is in the browser's cookie too."""
    word, cookie = fields.get("form", ""), sent.get(cookies.of_form(), "")
    named = request.headers.get("origin") is not None  # that it is ours was looked at before; a browser always names it
    return bool(named and word and secrets.compare_digest(word.encode(), cookie.encode()))


def came_from(request: Request) -> dict[str, str]:
    """Address and browser of who asks, as a session keeps them."""
    client = request.client.host if request.client else ""
    return {"address": client, "browser": request.headers.get("user-agent", "")}


def word_for(sent: MutableMapping[str, str]) -> str:
    """A word for a form, which has to come back with it: that of the browser's other form, where one is open."""
    word = sent.get(cookies.of_form(), "")
    return word if _WORD.fullmatch(word) else secrets.token_urlsafe(32)


def with_word(answer: Response, word: str) -> Response:
    """The answer that has the form, with the cookie of its word."""
    answer.headers.append("set-cookie", cookies.line(cookies.of_form(), word))
    return answer


async def token_for(look: Callable[[], str], again: Again) -> str | Response:
    """The session's token that a look at a password gave, taken in turn; the form again where it was refused."""
    try:
        async with _AT_ONCE:
            token = await asyncio.to_thread(look)
    except SignInRefused as refused:
        answer = again(str(refused), 429 if refused.wait_s else 403)
        if refused.wait_s:
            answer.headers["retry-after"] = str(int(refused.wait_s) + 1)
        return answer
    access.forget()
    return token


def with_session(answer: Response, token: str) -> Response:
    """The answer that a form led to, with the session's cookie; the form's word is of no more use."""
    answer.headers.append("set-cookie", cookies.line(cookies.of_session(), token))
    answer.headers.append("set-cookie", cookies.line(cookies.of_form(), "", max_age=0))
    return answer


def redirect(to: str) -> Response:
    """The way to another page."""
    return RedirectResponse(to, 303, headers=plain())


def refused_method() -> Response:
    """The answer to what is neither GET nor POST."""
    return PlainTextResponse("Expected GET or POST.", 405, headers=plain())


def plain() -> dict[str, str]:
    """Headers of an answer that nobody may keep."""
    return headers.of_every_answer() | {"cache-control": "no-store"}
