"""Pages of the guard's own, for who is not let in yet: plain HTML without a script, in light and dark."""

import base64
import hashlib
import re
from html import escape
from pathlib import Path

from starlette.responses import HTMLResponse

from skinlens.labels import DISCLAIMER
from skinlens.ui.shell import headers
from skinlens.ui.state import access

LOGIN = "/skinlens/login"
_STYLE = (Path(__file__).with_name("login.css")).read_text(encoding="utf-8")
_STYLE_SHA256 = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode("ascii")
_PAGE = """<!doctype html>
<html lang="en" translate="no" class="notranslate">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – SkinLens</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>{heading}</h1>
{content}
<p class="note">{disclaimer}</p>
</main>
</body>
</html>
"""
_FORM = """{said}
<form method="post" action="{action}">
<input type="hidden" name="form" value="{form}">
<input type="hidden" name="next" value="{to}">
<label for="name">Name</label>
<input id="name" name="name" value="{name}" maxlength="60" required autocomplete="username" autocapitalize="none"
spellcheck="false"{first}>
<label for="password">Password</label>
<input id="password" name="password" type="password" maxlength="256" required
autocomplete="current-password"{second}>
<button type="submit">Sign in</button>
</form>"""
_KNOCK = """<p class="said wrong" role="alert">This browser has not been let in yet.</p>
<p>Open SkinLens at the address that it printed when it was started: it ends with <code>?token=</code> and a long word.
So other accounts of this computer, which can reach this page too, do not see the cases.</p>"""
_LONGEST_ADDRESS = 2000


def sign_in(
    to: str, form: str, *, problem: str = "", name: str = "", said: str = "", status: int = 200
) -> HTMLResponse:
    """The form. ``to``: where it leads; ``form``: what has to come back with it."""
    words = ""
    if problem or said:
        kind = 'class="said wrong" role="alert"' if problem else 'class="said" role="status"'
        words = f"<p {kind}>{escape(problem or said)}</p>"
    content = _FORM.format(
        said=words,
        action=f"{access.base()}{LOGIN}",
        form=escape(form),
        to=escape(to),
        name=escape(name[:60]),
        first="" if name else " autofocus",
        second=" autofocus" if name else "",
    )
    return _page("Sign in", "Sign in to SkinLens", content, status)


def knock() -> HTMLResponse:
    """For who reaches the app at this computer without the printed address."""
    return _page("Not let in", "Open the printed address", _KNOCK, 401)


def _page(title: str, heading: str, content: str, status: int) -> HTMLResponse:
    page = _PAGE.format(
        title=title, heading=heading, content=content, style=_STYLE, disclaimer=escape(DISCLAIMER)
    )  # fmt: skip
    return HTMLResponse(page, status, headers=headers.of_own_page(_STYLE_SHA256))


def destination(asked: str) -> str:
    """Where to go after signing in: a page of the app, with what its address names; the first page for all else.

    A page is one word below the app's own path. So nothing that somebody puts into a link leads away from here.
    """
    own = re.escape(access.base()) + r"/[a-z_]{0,40}(\?[!-~]*)?"
    fits = len(asked) <= _LONGEST_ADDRESS and re.fullmatch(own, asked) and "\\" not in asked and "#" not in asked
    return asked if fits else f"{access.base()}/"
