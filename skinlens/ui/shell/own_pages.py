"""Pages of the guard's own, for who is not let in yet: plain HTML without a script, in light and dark."""

import base64
import hashlib
import re
from html import escape
from pathlib import Path
from urllib.parse import quote

from starlette.responses import HTMLResponse

from skinlens.accounts import LEAST_CHARACTERS
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
{head}
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
_ELSEWHERE = """<p><a class="button" href="{base}/skinlens/oidc/begin?next={to}">Sign in with {name}</a></p>
<p class="note">On a computer that others use, also <a href="{base}/skinlens/oidc/leave">sign out of {name}</a>.</p>
<h2>With a password of SkinLens</h2>
"""
_FORM = """{said}
{elsewhere}<form method="post" action="{action}">
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
_CHANGE_FORM = """{said}
<form method="post" action="{action}">
<input type="hidden" name="form" value="{form}">
<input type="text" name="user" value="{name}" autocomplete="username" hidden readonly>
<label for="old">Present password</label>
<input id="old" name="old" type="password" maxlength="256" required autofocus autocomplete="current-password">
<label for="new">New password</label>
<input id="new" name="new" type="password" maxlength="256" required autocomplete="new-password"
aria-describedby="rule">
<p id="rule" class="note">At least {least} characters, without your name.</p>
<label for="again">New password again</label>
<input id="again" name="again" type="password" maxlength="256" required autocomplete="new-password">
<label class="choice"><input type="checkbox" name="others" value="end" checked> Sign out my other browsers</label>
<button type="submit">Change the password</button>
</form>
<p><a href="{settings}">Back to the settings</a></p>"""
_KNOCK = """<p class="said wrong" role="alert">This browser has not been let in yet.</p>
<p>Open SkinLens at the address that it printed when it was started: it ends with <code>?token=</code> and a long word.
So other accounts of this computer, which can reach this page too, do not see the cases.</p>"""
_LONGEST_ADDRESS = 2000


def sign_in(
    to: str, form: str, *, problem: str = "", name: str = "", said: str = "", status: int = 200, provider: str = ""
) -> HTMLResponse:
    """The form. ``to``: where it leads; ``form``: what has to come back with it; ``provider``: where else people sign
    in.
    """
    elsewhere = _ELSEWHERE.format(base=access.base(), name=escape(provider), to=quote(to, safe=""))
    content = _FORM.format(
        said=_said(problem, said),
        action=f"{access.base()}{LOGIN}",
        form=escape(form),
        to=escape(to),
        name=escape(name[:60]),
        first="" if name else " autofocus",
        second=" autofocus" if name else "",
        elsewhere=elsewhere if provider else "",
    )
    return _page("Sign in", "Sign in to SkinLens", content, status)


def password(name: str, path: str, form: str, problem: str = "", status: int = 200) -> HTMLResponse:
    """The form in which ``name`` changes their own password; ``form``: what has to come back with it."""
    content = _CHANGE_FORM.format(
        said=_said(problem),
        action=f"{access.base()}{path}",
        form=escape(form),
        name=escape(name),
        least=LEAST_CHARACTERS,
        settings=f"{access.base()}/settings",
    )
    return _page("Password", f"Password of {escape(name)}", content, status)


def arrived(to: str) -> HTMLResponse:
    """The page that leads on by itself: a browser that came from elsewhere sends no strict cookie along a redirect."""
    return _page(
        "Signed in",
        "You are signed in",
        f'<p><a href="{escape(to)}">Go on</a></p>',
        200,
        head=f'<meta http-equiv="refresh" content="0; url={escape(to)}">',
    )


def done(heading: str, words: str, to: str = "/settings", link: str = "Back to SkinLens") -> HTMLResponse:
    """A page that says what was done, with the way on."""
    content = f'<p>{escape(words)}</p>\n<p><a href="{access.base()}{escape(to)}">{escape(link)}</a></p>'
    return _page(heading, heading, content, 200)


def knock() -> HTMLResponse:
    """Page for who reaches the app at this computer without the printed address."""
    return _page("Not let in", "Open the printed address", _KNOCK, 401)


def _said(problem: str, said: str = "") -> str:
    if not problem and not said:
        return ""
    kind = 'class="said wrong" role="alert"' if problem else 'class="said" role="status"'
    return f"<p {kind}>{escape(problem or said)}</p>"


def _page(title: str, heading: str, content: str, status: int, head: str = "") -> HTMLResponse:
    page = _PAGE.format(
        title=title, heading=heading, content=content, style=_STYLE, disclaimer=escape(DISCLAIMER), head=head
    )  # fmt: skip
    return HTMLResponse(page, status, headers=headers.of_own_page(_STYLE_SHA256))


def destination(asked: str) -> str:
    """Address after signing in: a page of the app, with what its address names; the first page for all else.

    A page is one word below the app's own path. So nothing that somebody puts into a link leads away from here.
    """
    own = re.escape(access.base()) + r"/[a-z_]{0,40}(\?[!-~]*)?"
    fits = len(asked) <= _LONGEST_ADDRESS and re.fullmatch(own, asked) and "\\" not in asked and "#" not in asked
    return asked if fits else f"{access.base()}/"
