"""Another web page in the same browser tries to read the cases: a foreign name, a frame, a websocket, a picture."""

import http.client
import threading
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from skinlens import pipeline
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.browser.test_journey import LIMIT_S, chromium, served

PATIENT = "P-0147"
EVIL = "evil.example"
OPEN_WEBSOCKET = """address => new Promise(done => {
    const socket = new WebSocket(address, ["streamlit"]);
    socket.onopen = () => done("open");
    socket.onerror = () => done("refused");
})"""
LOAD = """address => new Promise(done => {
    const picture = new Image();
    picture.onload = () => done("shown " + picture.width);
    picture.onerror = () => done("refused");
    picture.src = address;
})"""
FRAME = """address => new Promise(done => {
    const frame = document.createElement("iframe");
    frame.onload = () => done();
    frame.src = address;
    document.body.replaceChildren(frame);
})"""
FETCH = "address => fetch(address).then(answer => answer.text(), () => 'refused')"


@pytest.fixture(scope="module")
def address(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of an app with one patient."""
    home = tmp_path_factory.mktemp("attacked") / "home"
    with served(home, release) as address:
        store = CaseStore(home)
        store.acknowledge_disclaimer()
        analysis = pipeline.example(pipeline.load_classifier(release))
        patient, lesion = NewPatient(PATIENT, 1961, "female"), NewLesion("back")
        store.save_case(analysis, NewVisit(patient, lesion, "2024-05-06"))
        yield address


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of another server on this computer, which has an empty page."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "index.html").write_text("<!doctype html><title>Cats</title><p>Cats</p>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One in which the foreign name leads to this computer, as after a change of its address."""
    with chromium(f"--host-resolver-rules=MAP {EVIL} 127.0.0.1") as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    expect.set_options(timeout=LIMIT_S * 1000)
    yield page
    context.close()


def port(address: str) -> int:
    found = urlsplit(address).port
    assert found
    return found


def test_the_app_itself_shows_the_patient(page: Page, address: str) -> None:
    """What the attacks below must not get."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    for own in (address, address.replace("127.0.0.1", "localhost")):
        page.goto(f"{own}/history")
        expect(page.get_by_text(PATIENT).first).to_be_visible()
    assert [words for words in said if "Policy" in words] == []  # its own pages need nothing that is forbidden to them


def test_a_foreign_name_that_leads_here_gets_nothing(page: Page, address: str) -> None:
    answer = page.goto(f"http://{EVIL}:{port(address)}/history")
    assert answer is not None
    assert answer.status == 403
    expect(page.get_by_text(f"under the name '{EVIL}:{port(address)}'")).to_be_visible()
    assert PATIENT not in page.content()


@pytest.mark.parametrize("host", [EVIL, "127.0.0.1", "localhost"])
def test_another_page_gets_neither_frame_nor_websocket_nor_files(
    page: Page, address: str, elsewhere: int, host: str
) -> None:
    page.goto(f"http://{host}:{elsewhere}/")
    page.evaluate(FRAME, f"{address}/history")
    frame = page.frames[-1]
    assert frame.url.startswith("chrome-error:")  # what a browser shows in the place of a page that it may not frame
    assert PATIENT not in frame.content()
    assert frame.locator("[data-testid=stApp]").count() == 0
    assert page.evaluate(OPEN_WEBSOCKET, f"{address.replace('http', 'ws')}/_stcore/stream") == "refused"
    assert page.evaluate(LOAD, f"{address}/favicon.png") == "refused"
    assert page.evaluate(FETCH, f"{address}/_stcore/health") == "refused"


def ask(address: str, path: str, **headers: str) -> tuple[int, http.client.HTTPMessage]:
    """Status and headers of an answer to exactly these headers."""
    with closing(http.client.HTTPConnection("127.0.0.1", port(address), timeout=30)) as connection:
        connection.request("GET", path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        with connection.getresponse() as answer:
            return answer.status, answer.headers


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "evil.example:8501", "127.0.0.1@evil.example", "10.0.0.1", "", "["),
        *("127.0.0.1:port", "127.0.0.1/evil", "127.0.0.1 evil.example"),
    ],
)
def test_a_host_that_is_not_ours_is_refused(address: str, host: str) -> None:
    assert ask(address, "/", Host=host)[0] in {400, 403}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8501", "LOCALHOST", "localhost.", "[::1]:8501"])
def test_a_host_that_is_ours_is_answered(address: str, host: str) -> None:
    assert ask(address, "/", Host=host)[0] == 200


@pytest.mark.parametrize("origin", ["null", "http://evil.example", "http://127.0.0.1", "http://127.0.0.1:1", "file://"])
def test_another_origin_is_refused(address: str, origin: str) -> None:
    assert ask(address, "/", Origin=origin)[0] == 403
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Version": "13"}
    key = {"Sec_WebSocket_Key": "AAAAAAAAAAAAAAAAAAAAAA=="}
    assert ask(address, "/_stcore/stream", Origin=origin, **upgrade, **key)[0] == 403
    assert ask(address, "/_stcore/stream", **upgrade, **key)[0] == 403
    assert ask(address, "/_stcore/stream", Origin=address, **upgrade, **key)[0] == 101


@pytest.mark.parametrize("path", ["/", "/visit", "/_stcore/health", "/_stcore/host-config", "/media/none", "/nowhere"])
def test_no_answer_is_kept_framed_or_guessed_at(address: str, path: str) -> None:
    headers = ask(address, path, Origin=address)[1]
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_a_picture_of_a_patient_is_never_kept_by_the_browser(page: Page, address: str) -> None:
    kept: list[tuple[str, str | None]] = []
    page.on("response", lambda one: kept.append((urlsplit(one.url).path, one.headers.get("cache-control"))))
    page.goto(f"{address}/visit?case=1&view=Report")
    expect(page.get_by_text(PATIENT).first).to_be_visible()
    page.wait_for_function("document.querySelector('img[src*=\"/media/\"]')?.complete")
    pictures = [(path, cache) for path, cache in kept if path.startswith("/media/")]
    assert pictures
    assert {cache for _, cache in pictures} == {"no-store"}
    scripts = {cache for path, cache in kept if path.startswith("/static/js/")}
    assert scripts
    assert all("immutable" in str(cache) for cache in scripts)  # the program's own files may stay


def test_a_page_started_by_itself_has_no_guard_and_says_so(page: Page, release: Path, tmp_path: Path) -> None:
    """``streamlit run pages/…``: Streamlit then makes its server without asking the app."""
    with served(tmp_path / "home", release, script="pages/visit.py") as address:
        page.goto(address)
        expect(page.get_by_text("leaves other web pages access to the cases")).to_be_visible()
