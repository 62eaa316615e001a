"""Page of the gate's own on which people change their own password: neither one passes through Streamlit."""

import asyncio
from collections.abc import MutableMapping

from starlette.requests import Request
from starlette.responses import Response

from skinlens.accounts import Session, SignInRefused
from skinlens.errors import InvalidEntry
from skinlens.ui.shell import cookies, own_pages, plain_forms
from skinlens.ui.state import access

PATH = "/skinlens/password"
NOT_TWICE = "The new password was typed in two ways. Type it the same way twice."


async def page(
    request: Request, session: Session, sent: MutableMapping[str, str], at_once: asyncio.Semaphore
) -> Response:
    """The form, and what becomes of it. ``at_once``: so many passwords are looked at at a time."""
    if request.method in {"GET", "HEAD"}:
        return _with_form(session)
    if request.method != "POST":
        return plain_forms.refused_method()
    fields = await plain_forms.typed(request)
    if not plain_forms.is_own(request, fields, sent):
        return _with_form(session, plain_forms.STALE, 400)
    new = fields.get("new", "")
    if new != fields.get("again", ""):
        return _with_form(session, NOT_TWICE, 400)
    try:
        async with at_once:
            token = await asyncio.to_thread(
                access.accounts().change_password,
                session,
                fields.get("old", ""),
                new,
                end_others=fields.get("others") == "end",
            )
    except SignInRefused as refused:
        answer = _with_form(session, str(refused), 429 if refused.wait_s else 403)
        return plain_forms.later(answer, refused.wait_s)
    except InvalidEntry as error:
        return _with_form(session, str(error), 400)
    access.forget()
    answer = own_pages.done("Your password is changed", "From now on sign in with the new one.")
    answer.headers.append("set-cookie", cookies.line(cookies.of_session(), token))
    answer.headers.append("set-cookie", cookies.line(cookies.of_form(), "", max_age=0))
    return answer


def _with_form(session: Session, problem: str = "", status: int = 200) -> Response:
    word = plain_forms.new_word()
    return plain_forms.with_word(own_pages.password(session.actor, PATH, word, problem, status), word)
