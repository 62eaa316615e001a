"""Page of the gate's own on which people change their own password: neither one passes through Streamlit."""

from collections.abc import MutableMapping
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from skinlens.accounts import Session
from skinlens.errors import InvalidEntry
from skinlens.ui.shell import own_pages, plain_forms
from skinlens.ui.state import access

PATH = "/skinlens/password"
NOT_TWICE = "The new password was typed in two ways. Type it the same way twice."


async def page(request: Request, session: Session, sent: MutableMapping[str, str]) -> Response:
    """The form, and what becomes of it."""
    if request.method in {"GET", "HEAD"}:
        return _with_form(sent, session)
    if request.method != "POST":
        return plain_forms.refused_method()
    fields = await plain_forms.typed(request)
    if not plain_forms.is_own(request, fields, sent):
        return _with_form(sent, session, plain_forms.STALE, 400)
    new = fields.get("new", "")
    if new != fields.get("again", ""):
        return _with_form(sent, session, NOT_TWICE, 400)
    old, end_others = fields.get("old", ""), fields.get("others") == "end"
    try:
        token = await plain_forms.token_for(
            lambda: access.accounts().change_password(session, old, new, end_others=end_others),
            partial(_with_form, sent, session),
        )
    except InvalidEntry as error:
        return _with_form(sent, session, str(error), 400)
    if isinstance(token, Response):
        return token
    answer = own_pages.done("Your password is changed", "From now on sign in with the new one.")
    return plain_forms.with_session(answer, token)


def _with_form(sent: MutableMapping[str, str], session: Session, problem: str = "", status: int = 200) -> Response:
    word = plain_forms.word_for(sent)
    return plain_forms.with_word(own_pages.password(session.actor, PATH, word, problem, status), word)
