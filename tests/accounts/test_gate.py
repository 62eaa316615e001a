"""The gate without Streamlit behind it: a real OpenID provider, one's own password, known browsers and addresses."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from argon2 import PasswordHasher
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send
from streamlit import config

from skinlens.accounts import Accounts, passwords
from skinlens.ui.shell import guard, own_password, plain_forms, provider_gate
from skinlens.ui.state import access
from tests.accounts.asking import Asked, Browser

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")
PASSWORD, OTHER = "correct horse battery", "quite another phrase"
USERS: Mapping[str, Mapping[str, object]] = {
    "1": {"preferred_username": "Mia", "groups": ["doctors", "staff"]},
    "2": {"preferred_username": "Nils", "groups": ["kitchen"]},
    "3": {"preferred_username": "Ada", "groups": ["doctors"]},
}
OFFICE = "http://127.0.0.1:8501"


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    """In the place of Streamlit: what it is told of who asks."""
    told = {name.decode(): value.decode() for name, value in scope["headers"]}
    await JSONResponse({"headers": told, "client": scope["client"][0]})(scope, receive, send)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hashes that cost nothing; and nothing of these tests stays in the process."""
    monkeypatch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    passwords._of_nobody.cache_clear()
    monkeypatch.setattr(guard.Guard, "stands", guard.Guard.stands)
    monkeypatch.setattr(access, "_SIGN_IN", set())
    monkeypatch.setattr(access, "_PROVIDERS", {})
    monkeypatch.delenv("SKINLENS_OIDC", raising=False)
    port, headers = config.get_option("server.port"), config.get_option("server.trustedUserHeaders")
    config.set_option("server.port", 8501)
    access.forget()
    yield
    config.set_option("server.port", port)
    config.set_option("server.trustedUserHeaders", headers)
    passwords._of_nobody.cache_clear()
    access.forget()


@pytest.fixture
def accounts(skinlens_home: Path) -> Accounts:
    found = Accounts(skinlens_home)
    found.add("Ada", "admin", PASSWORD)
    access.forget()
    return found


@pytest.fixture
def browser(accounts: Accounts) -> Browser:
    return Browser(guard.Guard(behind), OFFICE)


@pytest.fixture(scope="session")
def issuer() -> Iterator[str]:
    """A provider that runs."""
    from oidc_provider_mock import User, run_server_in_thread  # which is built on what its own makers call outdated

    people = [User(sub=sub, claims=dict(claims)) for sub, claims in USERS.items()]
    with run_server_in_thread(user_claims=people) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def settings(issuer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "oidc.toml"
    write(path, issuer)
    monkeypatch.setenv("SKINLENS_OIDC", str(path))
    return path


def write(path: Path, issuer: str, more: str = '[roles]\ndoctors = "reviewer"\nstaff = "reader"\n') -> None:
    secret = 'client_secret = "very secret"\n'
    path.write_text(f'issuer = "{issuer}"\nclient_id = "skinlens"\nname = "Clinic"\n{secret}{more}', encoding="utf-8")
    path.chmod(0o600)


def sign_in(browser: Browser, name: str = "Ada", password: str = PASSWORD) -> Asked:
    word = browser.word("/skinlens/login")
    return browser.post("/skinlens/login", {"form": word, "name": name, "password": password, "next": "/"})


def at_the_provider(begun: Asked, sub: str = "1") -> str:
    """The person signs in there; where the provider sends the browser back to, below our address."""
    assert begun.status == 303
    answer = httpx.post(begun.headers["location"], data={"sub": sub}, follow_redirects=False)
    assert answer.status_code == 302, answer.text
    back = answer.headers["location"]
    assert back.startswith(f"{OFFICE}/skinlens/oidc/back?")
    return str(back.removeprefix(OFFICE))


def by_provider(browser: Browser, sub: str = "1", to: str = "/visit?case=7") -> Asked:
    return browser.get(at_the_provider(browser.get(f"/skinlens/oidc/begin?next={to}"), sub), from_elsewhere=True)


# ------------------------------------------------------------------------------------------------------- a provider


def test_a_person_signs_in_at_the_provider_and_comes_back_with_the_role_of_their_groups(
    browser: Browser, accounts: Accounts, settings: Path
) -> None:
    form = browser.get("/skinlens/login?next=%2Fvisit%3Fcase%3D7")
    assert 'href="/skinlens/oidc/begin?next=%2Fvisit%3Fcase%3D7">Sign in with Clinic</a>' in form.body
    begun = browser.get("/skinlens/oidc/begin?next=%2Fvisit%3Fcase%3D7")
    asked = {name: value[0] for name, value in parse_qs(urlsplit(begun.headers["location"]).query).items()}
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", "skinlens", "openid profile")
    assert (asked["redirect_uri"], asked["code_challenge_method"]) == (f"{OFFICE}/skinlens/oidc/back", "S256")
    assert [len(asked[name]) for name in ("state", "nonce", "code_challenge")] == [43, 43, 43]
    assert "secret" not in begun.headers["location"]
    assert re.search(
        r"^skinlens-provider-8501=[^;]+; Path=/; Max-Age=600; HttpOnly; SameSite=Lax$", begun.cookie_lines[0]
    )
    arrived = browser.get(at_the_provider(begun), from_elsewhere=True)
    assert (arrived.status, 'content="0; url=/visit?case=7"' in arrived.body) == (200, True)
    assert re.search(r"^skinlens-8501=[\w-]{43}; Path=/; HttpOnly; SameSite=Strict$", arrived.cookie_lines[0])
    assert "skinlens-provider-8501" not in browser.cookies
    seen = json.loads(browser.get("/anything").body)
    assert "cookie" not in seen["headers"]
    found = accounts.session_by_id(int(seen["headers"]["x-skinlens-session"]))
    assert found is not None
    assert (found.actor, found.role, found.issuer) == ("Mia", "reviewer", access.provider().settings.issuer)  # type: ignore[union-attr]
    assert [one.name for one in accounts.all()] == ["Ada", "Mia"]


def test_who_is_in_no_group_is_a_viewer_or_is_refused(
    browser: Browser, accounts: Accounts, settings: Path, issuer: str
) -> None:
    assert by_provider(browser, "2").status == 200
    assert {one.name: one.role for one in accounts.all()}["Nils"] == "viewer"
    write(settings, issuer, 'others = "refused"\n[roles]\ndoctors = "admin"\n')
    access._PROVIDERS.clear()
    answer = by_provider(Browser(guard.Guard(behind), OFFICE), "2")
    assert (answer.status, "none of the groups that may use SkinLens" in answer.body) == (403, True)


def test_a_local_account_of_the_same_name_and_a_disabled_one_are_not_entered(
    browser: Browser, accounts: Accounts, settings: Path
) -> None:
    taken = by_provider(browser, "3")
    assert (taken.status, "another account Ada here" in taken.body) == (403, True)
    assert by_provider(browser, "1").status == 200
    accounts.set_disabled("Mia", disabled=True)
    assert browser.get("/anything").status == 401
    assert "This account is disabled" in by_provider(browser, "1").body


def test_a_code_is_good_once(browser: Browser, settings: Path) -> None:
    begun = browser.get("/skinlens/oidc/begin")
    kept = dict(browser.cookies)
    back = at_the_provider(begun)
    assert browser.get(back, from_elsewhere=True).status == 200
    browser.cookies.clear()
    browser.cookies |= kept  # a browser that kept its cookie, or somebody who copied it
    again = browser.get(back, from_elsewhere=True)
    assert (again.status, "skinlens-8501" in browser.cookies) == (403, False)
    provider_gate._used.clear()  # and were it not refused here, the provider would
    assert browser.get(back, from_elsewhere=True).status == 403


@pytest.mark.parametrize("state", ["", "x" * 43, None])
def test_another_state_than_the_browsers_own_is_refused(browser: Browser, settings: Path, state: str | None) -> None:
    back = at_the_provider(browser.get("/skinlens/oidc/begin"))
    code = parse_qs(urlsplit(back).query)["code"][0]
    forged = f"/skinlens/oidc/back?code={code}" + (f"&state={state}" if state is not None else "")
    answer = browser.get(forged, from_elsewhere=True)
    assert (answer.status, "was not begun in this browser" in answer.body) == (403, True)


def test_a_return_in_another_browser_is_refused(browser: Browser, settings: Path) -> None:
    """Somebody has a victim open the end of a sign-in of their own."""
    back = at_the_provider(browser.get("/skinlens/oidc/begin"))
    victim = Browser(guard.Guard(behind), OFFICE)
    assert victim.get(back, from_elsewhere=True).status == 403
    victim.get("/skinlens/oidc/begin")  # with a sign-in of its own under way
    assert victim.get(back, from_elsewhere=True).status == 403
    assert "skinlens-8501" not in victim.cookies


@pytest.mark.parametrize("form", ["{text}.{seal}0", "{text}", ".", "x{text}.{seal}", "{text}.", ""])
def test_a_changed_cookie_is_refused(browser: Browser, settings: Path, form: str) -> None:
    back = at_the_provider(browser.get("/skinlens/oidc/begin"))
    text, _, seal = browser.cookies["skinlens-provider-8501"].partition(".")
    browser.cookies["skinlens-provider-8501"] = form.format(text=text, seal=seal)
    assert browser.get(back, from_elsewhere=True).status == 403


def test_a_code_of_another_sign_in_has_another_nonce(
    browser: Browser, settings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The code of one sign-in is put into another one, whose state is right."""
    stolen = parse_qs(urlsplit(at_the_provider(browser.get("/skinlens/oidc/begin"), "2")).query)["code"][0]
    state = parse_qs(urlsplit(at_the_provider(browser.get("/skinlens/oidc/begin"))).query)["state"][0]
    answer = browser.get(f"/skinlens/oidc/back?code={stolen}&state={state}", from_elsewhere=True)
    assert (answer.status, "You were not signed in there" in answer.body) == (403, True)
    said = capsys.readouterr().err
    assert "not for this sign-in: nonce" in said or "refused, with status 400" in said
    assert stolen not in said
    assert "very secret" not in said


def test_what_the_provider_refuses_is_said_in_our_words(browser: Browser, settings: Path) -> None:
    browser.get("/skinlens/oidc/begin")
    state = parse_qs(urlsplit(browser.get("/skinlens/oidc/begin").headers["location"]).query)["state"][0]
    evil = "&error_description=Call+0123+now"
    answer = browser.get(f"/skinlens/oidc/back?error=access_denied{evil}&state={state}", from_elsewhere=True)
    assert (answer.status, "You were not signed in there" in answer.body, "0123" in answer.body) == (403, True, False)


def test_a_provider_that_names_itself_otherwise_or_is_not_there(browser: Browser, settings: Path, issuer: str) -> None:
    write(settings, f"{issuer}/")
    assert "You were not signed in there" in browser.get("/skinlens/oidc/begin").body
    write(settings, "http://127.0.0.1:9")
    access._PROVIDERS.clear()
    assert "cannot be reached now" in browser.get("/skinlens/oidc/begin").body


def test_signing_out_there_too(browser: Browser, settings: Path, issuer: str) -> None:
    to = browser.get("/skinlens/oidc/leave").headers["location"]
    assert to.startswith(
        f"{issuer}/oauth2/end_session?client_id=skinlens&post_logout_redirect_uri=http%3A%2F%2F127.0.0.1"
    )


def test_of_two_forms_in_one_browser_each_may_be_filled_in(browser: Browser) -> None:
    """Two tabs are sent to the form when one signs out; the form that was drawn first is not the lesser one."""
    first, second = (browser.word("/skinlens/login") for _ in range(2))
    typed = {"name": "Ada", "password": PASSWORD, "next": "/visit?case=7"}
    refused = browser.post("/skinlens/login", {"form": first, **typed, "password": "not the right one"})
    assert refused.status == 403
    assert browser.post("/skinlens/login", {"form": first, **typed}).status == 303
    late = browser.post("/skinlens/login", {"form": second, **typed})  # signed in by the other tab meanwhile
    assert (late.status, late.headers["location"]) == (303, "/visit?case=7")


def test_a_form_from_elsewhere_keeps_the_name_and_a_strange_word_is_not_given_out(browser: Browser) -> None:
    browser.cookies["skinlens-form-8501"] = '"><script>'
    word = browser.word("/skinlens/login")
    assert len(word) == 43
    stale = browser.post("/skinlens/login", {"form": "x" * 43, "name": "Ada", "password": PASSWORD, "next": "/"})
    assert stale.status == 400
    assert plain_forms.STALE in stale.body
    assert 'value="Ada"' in stale.body


def test_without_a_provider_there_is_no_way_to_one(browser: Browser) -> None:
    for path in provider_gate.PATHS:
        assert browser.get(path).status == 401
    assert "Sign in with" not in browser.get("/skinlens/login").body


# ---------------------------------------------------------------------------------------------- one's own password


def change(browser: Browser, **fields: str) -> Asked:
    word = browser.word(own_password.PATH)
    return browser.post(own_password.PATH, {"form": word, "old": PASSWORD, "new": OTHER, "again": OTHER, **fields})


def test_ones_own_password_is_changed_and_the_session_goes_on_with_another_cookie(
    browser: Browser, accounts: Accounts
) -> None:
    elsewhere = Browser(guard.Guard(behind), OFFICE)
    for one in (browser, elsewhere):
        assert sign_in(one).status == 303
    before = browser.cookies["skinlens-8501"]
    assert change(browser).status == 200
    assert browser.cookies["skinlens-8501"] != before
    assert (browser.get("/anything").status, elsewhere.get("/anything").status) == (200, 200)
    assert change(browser, old=OTHER, new=PASSWORD, again=PASSWORD, others="end").status == 200
    assert (browser.get("/anything").status, elsewhere.get("/anything").status) == (200, 401)
    assert Browser(guard.Guard(behind), OFFICE, {"skinlens-8501": before}).get("/anything").status == 401


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"old": "not the right one"}, 403, "The present password is not right"),
        ({"again": "another phrase"}, 400, own_password.NOT_TWICE),
        ({"new": "short", "again": "short"}, 400, "12 to 256 characters"),
        ({"new": PASSWORD, "again": PASSWORD}, 400, "your present password"),
        ({"form": "x" * 43}, 400, plain_forms.STALE),
        ({"form": ""}, 400, plain_forms.STALE),
    ],
)
def test_a_password_that_is_not_changed_says_why(
    browser: Browser, fields: Mapping[str, str], status: int, words: str
) -> None:
    sign_in(browser)
    answer = change(browser, **fields)
    assert (answer.status, words in answer.body, 'role="alert"' in answer.body) == (status, True, True)
    assert OTHER not in answer.body
    assert sign_in(Browser(guard.Guard(behind), OFFICE)).status == 303


def test_who_has_not_signed_in_changes_no_password(browser: Browser) -> None:
    assert browser.get(own_password.PATH).status == 401
    assert browser.post(own_password.PATH, {"form": "", "old": PASSWORD, "new": OTHER}).status == 401


# --------------------------------------------------------------------------------------- known browsers and addresses


def test_a_known_browser_enters_while_others_try_its_name(browser: Browser) -> None:
    line = next(one for one in sign_in(browser).cookie_lines if one.startswith("skinlens-browser-8501="))
    assert line.endswith("; Path=/; Max-Age=15552000; HttpOnly; SameSite=Strict")
    stranger = Browser(guard.Guard(behind), OFFICE)
    assert [sign_in(stranger, password="a guess").status for _ in range(6)] == [403] * 5 + [429]
    assert sign_in(stranger).status == 429
    del browser.cookies["skinlens-8501"]
    assert sign_in(browser).status == 303
    assert "cookie" not in json.loads(browser.get("/anything").body)["headers"]


@pytest.mark.parametrize(
    ("proxy", "told", "believed"),
    [("", None, "127.0.0.1"), ("", "", "10.0.0.7"), ("https://127.0.0.1:8501", None, "10.0.0.7")],
)
def test_an_address_in_a_header_is_believed_behind_a_proxy_alone(
    browser: Browser, monkeypatch: pytest.MonkeyPatch, proxy: str, told: str | None, believed: str
) -> None:
    """``10.0.0.7`` is what uvicorn made of the header; where it was told to believe nobody, it is the sender."""
    sign_in(browser)
    monkeypatch.delenv("FORWARDED_ALLOW_IPS", raising=False)
    if told is not None:
        monkeypatch.setenv("FORWARDED_ALLOW_IPS", told)
    if proxy:
        monkeypatch.setenv("SKINLENS_BEHIND_PROXY", proxy)
        browser.cookies["__Host-skinlens"] = browser.cookies["skinlens-8501"]
    answer = browser.get("/anything", headers={"X-Forwarded-For": "10.0.0.7"}, client="10.0.0.7")
    assert json.loads(answer.body)["client"] == believed


def test_a_case_folder_that_goes_meanwhile_is_said_to_everybody_and_not_made_anew(
    accounts: Accounts, browser: Browser
) -> None:
    stranger = Browser(guard.Guard(behind), OFFICE)
    stranger.word("/skinlens/login")
    sign_in(browser)
    access.forget()  # as a moment later
    accounts.home.rename(accounts.home.with_name("unplugged"))
    fields = {"form": stranger.cookies["skinlens-form-8501"], "name": "Ada", "password": PASSWORD, "next": "/"}
    for answer in (
        browser.get("/anything"),
        stranger.get("/skinlens/login"),
        stranger.post("/skinlens/login", fields),
    ):
        assert answer.status == 503
        assert "was there and is gone: its disk was removed" in answer.body
    assert not accounts.home.exists()
