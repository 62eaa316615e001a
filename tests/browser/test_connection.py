"""What is around the app's own content: no translation of the page, and a word where a chosen file finds nobody."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from streamlit import file_util

from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.serve import free_port
from skinlens.store import CaseStore
from skinlens.ui.shell import guard
from tests.browser.serving import LIMIT_S, ROOT, wait_for
from tests.browser.test_journey import begin, browser  # noqa: F401  (browser is a fixture)


@contextmanager
def serving(home: Path, port: int, release: Path) -> Iterator[None]:
    """The app at this very port, for as long as asked."""
    environment = {**os.environ, "SKINLENS_HOME": str(home), "SKINLENS_WEIGHTS": str(release)}
    command = [sys.executable, "-m", "skinlens", "serve", "--no-token", "--port", str(port)]
    with (home / "log").open("ab") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        wait_for(port, server)
        yield
    finally:
        server.terminate()
        server.wait(LIMIT_S)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:  # noqa: F811
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    expect.set_options(timeout=LIMIT_S * 1000)
    yield page
    context.close()


DROP = """async (name) => {
    const data = new DataTransfer();
    data.items.add(new File(["x"], name, { type: "image/jpeg" }));
    const place = document.querySelector("[data-testid=stFileUploader]");
    const event = new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: data });
    place.dispatchEvent(event);
    return event.defaultPrevented;
}"""
CHOOSE = """() => {
    const data = new DataTransfer();
    data.items.add(new File(["x"], "photo.jpg", { type: "image/jpeg" }));
    window.chosen.files = data.files;
    window.chosen.dispatchEvent(new Event("change", { bubbles: true }));
}"""
DOWN = "The photo was not taken: the connection to SkinLens is down."


def test_a_file_chosen_while_the_app_is_away_is_not_lost_in_silence(page: Page, release: Path, tmp_path: Path) -> None:
    photo, home, port = (
        tmp_path / "photo.jpg",
        tmp_path / "home",
        free_port("127.0.0.1", int(os.environ["SKINLENS_TEST_PORT"])),
    )
    Image.fromarray(draw_synthetic_lesion(1)).save(photo, quality=92)
    CaseStore(home).acknowledge_disclaimer()
    said = page.locator("#skinlens-connection")
    field = page.locator("input[type=file]")
    with serving(home, port, release):
        begin(page, f"http://127.0.0.1:{port}")
        assert page.evaluate("document.documentElement.translate") is False
        assert page.locator("meta[name=google]").get_attribute("content") == "notranslate"
        expect(field).to_have_count(1)
        page.evaluate("window.chosen = document.querySelector('input[type=file]')")
        field.evaluate("field => field.click()")  # the computer's own window for choosing is open from here on
    page.wait_for_timeout(2000)
    page.evaluate(CHOOSE)
    expect(said).to_contain_text(DOWN)
    page.evaluate("document.getElementById('skinlens-connection').textContent = ''")
    assert page.evaluate(DROP, "photo.jpg") is True  # or the browser would leave the app and show the file
    expect(said).to_contain_text(DOWN)
    with serving(home, port, release):
        expect(said).to_have_text("SkinLens is connected again. Choose the photo again.")
        page.route("**/_stcore/upload_file/**", lambda route: route.abort())
        field.set_input_files(photo)
        expect(said).to_contain_text("The photo did not reach SkinLens")
        page.unroute_all()
        field.set_input_files(photo)
        expect(page.get_by_text("Your impression first")).to_be_visible()
        expect(said).to_be_hidden()


def test_streamlits_page_still_has_the_places_that_are_completed() -> None:
    """Fails where a new version of Streamlit lays out its page in another way."""
    page = (Path(file_util.get_static_dir()) / "index.html").read_bytes()
    assert [page.count(before) for before, _ in guard.PAGE] == [1, 1]
    completed = guard.completed(page)
    assert completed.index(b"connection.js") < completed.index(b'type="module"')
