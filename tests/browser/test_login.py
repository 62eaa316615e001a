"""Who has not signed in gets the form and nothing else; who has is signed out in time, and finds their work again."""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from websockets.exceptions import ConnectionClosed

from skinlens import pipeline
from skinlens.accounts import Accounts, database
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.browser.signing_in import (
    CLOSES_S,
    PASSWORDS,
    ROLES,
    UPGRADE,
    Answer,
    ask,
    began,
    broken_apart,
    cookie_header,
    origin,
    post_form,
    signed_in,
    tab,
)
from tests.browser.test_accessibility import broken
from tests.browser.test_journey import GROUNDS, LIMIT_S, chromium, served, settled

PATIENT = "P-0147"
PAGES = ("/", "/visit?case=1&view=Report", "/settings")
FILES = (
    *("/_stcore/health", "/_stcore/host-config", "/_stcore/metrics", "/_stcore/upload_file/a/b", "/media/a.png"),
    *("/static/js/index.js", "/component/x/index.html", "/_stcore/bidi-components/x", "/favicon.png"),
    *("/skinlens/connection.js", "/skinlens/session.js", "/skinlens/session", "/skinlens/", "/nowhere/at/all"),
)
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def home(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With four accounts and one case."""
    home = tmp_path_factory.mktemp("network") / "home"
    store = CaseStore(home)
    store.acknowledge_disclaimer()
    analysis = pipeline.example(pipeline.load_classifier(release))
    store.save_case(analysis, NewVisit(NewPatient(PATIENT, 1961, "female"), NewLesion("back"), "2024-05-06"))
    accounts = Accounts(home)
    for name, password in PASSWORDS.items():
        accounts.add(name, ROLES[name], password)  # type: ignore[arg-type]
    return home


@pytest.fixture(scope="module")
def address(home: Path, release: Path) -> Iterator[str]:
    with served(home, release, told={"SKINLENS_TOKEN": "not asked for where there are accounts"}) as address:
        yield address


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    yield page
    context.close()


@pytest.fixture(autouse=True)
def nothing_counted(home: Path) -> Iterator[None]:
    """Each test begins without failed attempts."""
    yield
    with database.writing(home) as db:
        db.execute("DELETE FROM attempt")


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORDS[name])
    page.get_by_role("button", name="Sign in").click()


def closes(answer: Answer) -> bool:
    """Whether a websocket was taken and closed at once with 4403."""
    return (answer.status, answer.body[:2], answer.body[4:8]) == (101, "88", "1133")


# -------------------------------------------------------------------------------------- who has not signed in


@pytest.mark.parametrize("path", PAGES)
def test_a_page_leads_to_the_form_and_back(address: str, path: str) -> None:
    answer = ask(address, path, headers=HTML)
    assert (answer.status, answer.body) == (303, "")
    form = answer.headers["Location"]
    assert form.startswith("/skinlens/login")
    arrived = ask(address, form)
    assert (arrived.status, PATIENT in arrived.body) == (200, False)
    to = re.search(r'name="next" value="([^"]*)"', arrived.body)
    assert to
    assert to[1].replace("&amp;", "&") == path


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "DELETE", "OPTIONS"])
def test_a_file_is_refused(address: str, path: str, method: str) -> None:
    answer = ask(address, path, method=method, headers={"Origin": origin(address)})
    assert (answer.status, answer.body) == (401, "Sign in to use SkinLens.")


@pytest.mark.parametrize("cookie", ["", "skinlens-{port}=", "skinlens-{port}=AAAA", "skinlens-{port}='; DROP TABLE x"])
def test_a_websocket_is_closed(address: str, cookie: str) -> None:
    headers = {**UPGRADE, "Origin": address, "Cookie": cookie.format(port=urlsplit(address).port)}
    assert closes(ask(address, "/_stcore/stream", headers=headers, silent_s=CLOSES_S))


@pytest.mark.parametrize("header", ["X-Skinlens-Session", "x-skinlens-actor", "X-Forwarded-User", "Remote-User"])
def test_a_forged_identity_does_nothing(address: str, header: str) -> None:
    signed_in(address, "Ada")  # so that a session of number 1 is there
    assert ask(address, "/_stcore/health", headers={header: "1"}).status == 401
    forged = {**UPGRADE, "Origin": address, header: "1"}
    assert closes(ask(address, "/_stcore/stream", headers=forged, silent_s=CLOSES_S))


def test_a_forged_identity_beside_a_real_one_does_nothing(page: Page, address: str, home: Path) -> None:
    signed_in(address, "Ada")
    admin = Accounts(home).devices("Ada")[0].id
    page.set_extra_http_headers({"X-Skinlens-Session": str(admin), "x-skinlens-role": "admin"})
    page.goto(address)
    sign_in(page, "Vera")
    expect(page.get_by_role("button", name="Vera")).to_be_visible()


# --------------------------------------------------------------------------------------------------- signing in


def test_the_cookie_is_for_this_server_alone_and_no_script_reads_it(address: str) -> None:
    answer = post_form(address, "dr. lange", PASSWORDS["Dr. Lange"])
    lines = [line for line in answer.cookie_lines if "Max-Age=0" not in line]
    assert len(lines) == 2  # the session's, and the one by which the browser is known the next time
    name = f"skinlens-{urlsplit(address).port}"
    assert re.fullmatch(rf"{name}=[\w-]{{43}}; Path=/; HttpOnly; SameSite=Strict", lines[0])
    assert ask(address, "/_stcore/health", headers={"Cookie": lines[0].partition(";")[0]}).body == "ok"


def test_a_token_that_was_planted_before_is_not_the_one_after(address: str) -> None:
    """Session fixation."""
    name = f"skinlens-{urlsplit(address).port}"
    planted = {name: "A" * 43}
    answer = post_form(address, "Rita", PASSWORDS["Rita"], cookies=planted)
    assert answer.cookies[name] != planted[name]
    assert ask(address, "/_stcore/health", headers={"Cookie": cookie_header(planted)}).status == 401
    first = {name: answer.cookies[name]}
    post_form(address, "Rita", PASSWORDS["Rita"], cookies=first)
    assert ask(address, "/_stcore/health", headers={"Cookie": cookie_header(first)}).status == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Origin": "http://evil.example"}, 403),
        ({"Cookie": ""}, 400),
        ({"Cookie": "skinlens-form-{port}=another"}, 400),
        ({"Content-Type": "text/plain"}, 400),
    ],
)
def test_a_form_that_another_page_sends_signs_nobody_in(address: str, headers: dict[str, str], status: int) -> None:
    sent = {name: value.format(port=urlsplit(address).port) for name, value in headers.items()}
    answer = post_form(address, "Vera", PASSWORDS["Vera"], headers=sent)
    assert answer.status == status
    assert f"skinlens-{urlsplit(address).port}" not in answer.cookies


@pytest.mark.parametrize(
    "to",
    [
        *("https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "/%2f%2fevil.example"),
        *("javascript:alert(1)", "/../../etc/passwd", "/visit/../../x", "/%2e%2e/x", "/_stcore/health/..", "visit"),
        *("/visit?a=1\r\nSet-Cookie: a=b", "/visit?x=\u2028", "/skinlens/login", f"/visit?{'x' * 3000}", "/visit#x"),
    ],
)
def test_the_form_leads_nowhere_else(address: str, to: str) -> None:
    answer = post_form(address, "Rita", PASSWORDS["Rita"], to=to)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert "a=b" not in "".join(answer.cookie_lines)


def test_what_is_typed_stays_text(address: str) -> None:
    answer = post_form(address, '"><script>alert(1)</script>', "x")
    assert answer.status == 403
    assert "<script" not in answer.body
    assert "&lt;script&gt;" in answer.body
    assert "script-src" not in answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_a_form_of_megabytes_is_not_read(address: str) -> None:
    answer = post_form(address, "Vera", "x" * 100_000)
    assert answer.status == 400


def test_guessing_has_to_wait(address: str, home: Path) -> None:
    statuses = [post_form(address, "Vera", f"guess {number}").status for number in range(6)]
    assert statuses == [403] * 5 + [429]
    late = post_form(address, "Vera", PASSWORDS["Vera"])
    assert late.status == 429
    assert "Too many attempts" in late.body
    assert 1 <= int(late.headers["Retry-After"]) <= 16
    assert post_form(address, "Rita", PASSWORDS["Rita"]).status == 303


@pytest.mark.parametrize("path", ["/", "/skinlens/login", "/_stcore/health", "/skinlens/session", "/media/none"])
@pytest.mark.parametrize("who", ["", "Vera"])
def test_every_answer_has_its_headers(address: str, path: str, who: str) -> None:
    cookies = {"Cookie": cookie_header(signed_in(address, who))} if who else {}
    headers = ask(address, path, headers={**HTML, **cookies}).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "camera=()" in headers["Permissions-Policy"]
    on_form = path == "/skinlens/login" and not who
    assert headers["Referrer-Policy"] == ("same-origin" if on_form else "no-referrer")


def test_another_page_of_this_computer_opens_no_websocket_with_the_cookie(address: str) -> None:
    cookie = {"Cookie": cookie_header(signed_in(address, "Rita"))}
    for other in ("http://evil.example", "http://127.0.0.1:1", "null"):
        assert ask(address, "/_stcore/stream", headers={**UPGRADE, **cookie, "Origin": other}).status == 403
    assert ask(address, "/_stcore/stream", headers={**UPGRADE, **cookie, "Origin": address}).body[:2] != "88"


# ------------------------------------------------------------------------------------------- a tab and its session


def test_a_tab_goes_on_in_its_own_session_and_nobody_else_does(address: str) -> None:
    rita, lange = signed_in(address, "Rita"), signed_in(address, "Dr. Lange")
    with tab(address, rita) as (first, own):
        with tab(address, lange, own) as (_, other):
            assert other != own
        assert began(first) == own  # and is not torn from its tab
        upload = f"/_stcore/upload_file/{own}/a"
        sent = {"Origin": origin(address), "Content-Type": "text/plain"}
        for method in ("PUT", "DELETE"):
            foreign = ask(address, upload, method=method, headers={**sent, "Cookie": cookie_header(lange)})
            assert (foreign.status, foreign.body) == (403, "This belongs to a page of somebody else.")
            mine = ask(address, upload, method=method, headers={**sent, "Cookie": cookie_header(rita)})
            assert "somebody else" not in mine.body
    for cookies in (lange, signed_in(address, "Rita")):  # another account, and another sign-in of the same one
        with tab(address, cookies, own) as (_, other):
            assert other != own
    with tab(address, rita, own) as (_, again):
        assert again == own


def test_an_open_connection_ends_with_its_session(address: str, home: Path) -> None:
    """As when somebody signs out, also of all browsers: the page goes on as nobody."""
    cookies = signed_in(address, "Rita")
    with tab(address, cookies) as (open_one, own):
        Accounts(home).end("Rita")
        with suppress(ConnectionClosed):
            list(open_one)  # what was on its way
        assert open_one.close_code == 4403
    with pytest.raises(ConnectionClosed), tab(address, cookies, own):
        pass


# ------------------------------------------------------------------------------------------------- in a browser


def test_signing_in_leads_to_what_was_asked_for_and_signing_out_back(page: Page, address: str) -> None:
    page.goto(f"{address}/visit?case=1")
    expect(page.get_by_role("heading", name="Sign in to SkinLens")).to_be_visible()
    page.get_by_label("Name").fill("Dr. Lange")
    page.get_by_label("Password").fill("not the right one")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_have_text(re.compile("The name or the password is not right"))
    expect(page.get_by_label("Name")).to_have_value("Dr. Lange")
    page.get_by_label("Password").fill(PASSWORDS["Dr. Lange"])
    page.keyboard.press("Enter")
    expect(page.get_by_text(PATIENT).first).to_be_visible()
    assert urlsplit(page.url).path == "/visit"
    page.get_by_role("button", name="Dr. Lange").click()
    expect(page.get_by_text("Signed in as Dr. Lange (reviewer)")).to_be_visible()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in to SkinLens")).to_be_visible()
    assert urlsplit(page.url).query == ""  # the next person is not led to the patient of the one before
    page.goto(f"{address}/visit?case=1")
    expect(page.get_by_role("heading", name="Sign in to SkinLens")).to_be_visible()


def test_an_open_page_goes_to_the_form_when_its_role_is_changed(page: Page, address: str, home: Path) -> None:
    page.goto(address)
    sign_in(page, "Vera")
    expect(page.get_by_role("button", name="Vera")).to_be_visible()
    Accounts(home).set_role("Vera", "viewer")
    expect(page.get_by_role("heading", name="Sign in to SkinLens")).to_be_visible(timeout=20_000)


def test_an_unsaved_photo_is_found_again_after_the_session_ended_and_by_its_owner_alone(
    page: Page, address: str, home: Path
) -> None:
    page.goto(f"{address}/visit")
    sign_in(page, "Rita")
    page.get_by_role("button", name="Try the example").click()
    expect(page.get_by_role("button", name="Show result")).to_be_visible()
    settled(page)
    at = page.url
    assert "photo=" in at
    Accounts(home).end("Rita")
    expect(page.get_by_role("heading", name="Sign in to SkinLens")).to_be_visible(timeout=20_000)
    page.wait_for_timeout(1000)
    page.goto(at)
    sign_in(page, "Dr. Lange")
    expect(page.get_by_text("was not saved and is not held any more")).to_be_visible()
    Accounts(home).end("Dr. Lange")
    expect(page.get_by_role("heading", name="Sign in to SkinLens")).to_be_visible(timeout=20_000)
    page.goto(at)
    sign_in(page, "Rita")
    expect(page.get_by_role("button", name="Show result")).to_be_visible()
    assert page.url == at


def test_axe_finds_nothing_on_the_form_and_on_what_who_is_signed_in_sees(page: Page, address: str) -> None:
    tab = page
    found: dict[str, object] = {}
    tab.goto(f"{address}/settings")
    for look in GROUNDS:
        tab.emulate_media(color_scheme=look)
        found[f"form, {look}"] = {size: one for size, one in broken_apart(tab).items() if one}
    sign_in(tab, "Rita")
    expect(tab.get_by_role("heading", name="Signed in")).to_be_visible()
    found["settings"] = broken(tab)
    tab.get_by_role("button", name="Rita").click()
    expect(tab.get_by_text("Signed in as Rita")).to_be_visible()
    found["who"] = broken(tab)
    tab.goto(f"{address}/visit?case=1&view=More")
    expect(tab.get_by_role("button", name="Delete this case …")).to_be_disabled()
    found["more"] = broken(tab)
    tab.goto(f"{address}/skinlens/password")
    expect(tab.get_by_role("heading", name="Password of Rita")).to_be_visible()
    for look in GROUNDS:
        tab.emulate_media(color_scheme=look)
        found[f"password, {look}"] = {size: one for size, one in broken_apart(tab).items() if one}
    assert not {name: one for name, one in found.items() if one}
