"""A session in a browser: the warning, the way back with what was typed, the token of one's own computer, axe-core."""

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from skinlens import pipeline
from skinlens.accounts import Accounts, database
from skinlens.serve import free_port
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from skinlens.ui.shell.gate import ALIVE, STATE
from tests.browser.serving import LIMIT_S, printed, serving
from tests.browser.signing_in import CLOSES_S, PASSWORDS, ROLES, UPGRADE, ask, broken_apart
from tests.browser.test_journey import browser, served, settled  # noqa: F401  (browser is a fixture)

TYPED = "a note that nobody has saved"


@pytest.fixture(scope="module")
def home(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("session") / "home"
    store = CaseStore(home)
    store.acknowledge_disclaimer()
    analysis = pipeline.example(pipeline.load_classifier(release))
    store.save_case(analysis, NewVisit(NewPatient("P-0147", 1961, "female"), NewLesion("back"), "2024-05-06"))
    return home


@pytest.fixture(scope="module")
def address(home: Path, release: Path) -> Iterator[str]:
    """Of an app with accounts, at which a minute without use is enough."""
    for name, password in PASSWORDS.items():
        Accounts(home).add(name, ROLES[name], password)  # type: ignore[arg-type]
    with served(home, release, told={"SKINLENS_IDLE_MINUTES": "1"}) as address:
        yield address


def pass_time(home: Path, seconds: float) -> None:
    """To the accounts it is as if each session had begun and been used that much earlier."""
    with database.writing(home) as db:
        db.execute("UPDATE session SET began_at = began_at - ?1, seen_at = seen_at - ?1", [seconds])


def sign_in(page: Page, name: str) -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(PASSWORDS[name])
    page.keyboard.press("Enter")


def test_the_token_of_the_printed_address_is_exchanged_for_a_cookie(
    tmp_path: Path,
    release: Path,
    browser: Browser,  # noqa: F811
) -> None:
    home = tmp_path / "own"
    port = free_port("127.0.0.1", int(os.environ.get("SKINLENS_TEST_PORT", "8601")) + 1)
    with serving(["-m", "skinlens", "app", "--port", str(port)], port, home, release) as bare:
        opened = printed(home / "log")
        assert opened.startswith(f"{bare}/?token=")
        assert ask(bare, "/", headers={"Accept": "text/html"}).status == 401
        assert ask(bare, f"/?token={'x' * 43}", headers={"Accept": "text/html"}).status == 401
        refused = ask(bare, "/_stcore/stream", headers={**UPGRADE, "Origin": bare}, silent_s=CLOSES_S)
        assert (refused.status, refused.body[4:8]) == (101, "1133")
        forwarded = ask(bare, "/", headers={"X-Forwarded-For": "10.0.0.7"})
        assert forwarded.status == 403
        assert "--behind-proxy" in forwarded.body
        other = browser.new_page()
        other.goto(f"{bare}/settings")
        expect(other.get_by_role("heading", name="Open the printed address")).to_be_visible()
        assert {size: one for size, one in broken_apart(other).items() if one} == {}
        page = browser.new_context().new_page()
        page.set_default_timeout(LIMIT_S * 1000)
        page.goto(f"{bare}/help?{urlsplit(opened).query}&x=1")
        expect(page.get_by_role("heading", name="Before you begin")).to_be_visible()
        assert page.url == f"{bare}/help?x=1"
        (cookie,) = [one for one in page.context.cookies() if one["name"] == f"skinlens-{port}"]
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        page.goto(bare)  # as from a bookmark
        expect(page.get_by_role("heading", name="Before you begin")).to_be_visible()
        Accounts(home).add("Ada", "admin", PASSWORDS["Ada"])
        expect(page.get_by_role("heading", name="Before you begin")).to_be_visible()
        answer = ask(bare, opened.removeprefix(bare), headers={"Accept": "text/html"})
        assert answer.status in {303, 401}
        page.wait_for_timeout(2000)
        page.goto(bare)  # from now on people sign in
        expect(page.get_by_role("heading", name="Sign in to SkinLens")).to_be_visible()


def test_who_does_nothing_is_warned_and_signed_out_and_finds_what_was_typed(
    address: str,
    home: Path,
    browser: Browser,  # noqa: F811
) -> None:
    page = browser.new_context().new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    page.goto(f"{address}/visit?case=1")
    sign_in(page, "Dr. Lange")
    notes = page.get_by_role("textbox", name="Notes")
    expect(notes).to_be_visible()
    settled(page)
    expect(page.locator("#skinlens-session")).to_contain_text("You will be signed out in less than a minute")
    with page.expect_response(lambda one: one.url.endswith(STATE) and one.json()["left"] < 41):
        pass_time(home, 20)
    with page.expect_response(lambda one: one.url.endswith(ALIVE) and one.json()["left"] > 55):
        notes.click()
    page.keyboard.type(TYPED)
    with page.expect_response(lambda one: one.url.endswith(STATE) and one.json()["left"] < 20):
        pass_time(home, 45)  # more than a minute after the sign-in: using it has kept the session
    expect(notes).to_be_visible()
    expect(page.get_by_role("heading", name="Sign in to SkinLens")).to_be_visible(timeout=60_000)
    expect(page.get_by_role("status")).to_contain_text("signed out after a time without use")
    sign_in(page, "Dr. Lange")
    expect(page.get_by_role("textbox", name="Notes")).to_have_value(TYPED)
    assert CaseStore(home).case(1).visit.notes == ""
