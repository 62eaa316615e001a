"""The served app in a real browser, watched at the kernel's door: an upload stays in memory, and nothing is sent."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.serve import free_port
from skinlens.store import CaseStore
from tests.browser.serving import LIMIT_S, ROOT, printed, wait_for
from tests.browser.test_journey import begin, browser, made, part, show_reading  # noqa: F401  (browser is a fixture)
from tests.traces import Trace

LARGE = 10_000_000
SMALL = 500_000
"""More than the database, the log and what Python tries the temporary folder with; less than the photo."""


@dataclass(frozen=True)
class Served:
    address: str
    trace: Trace
    home: Path
    user: Path


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """``python -m skinlens serve`` for a user who has a home and nothing else, under ``strace``."""
    folder = tmp_path_factory.mktemp("watched")
    home, user, trace = folder / "home", folder / "user", Trace(folder / "trace")
    for one in (home, user):
        one.mkdir()
    CaseStore(home).acknowledge_disclaimer()
    port = free_port("127.0.0.1", int(os.environ["SKINLENS_TEST_PORT"]))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "HF_", "XDG_"))}
    environment |= {"SKINLENS_HOME": str(home), "HOME": str(user), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("SKINLENS_WEIGHTS", None)
    command = trace.command(sys.executable, "-m", "skinlens", "serve", "--port", str(port))
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            wait_for(port, server)
            yield Served(printed(folder / "log"), trace, home, user)
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(60)


@pytest.fixture(scope="module")
def page(watched: Served, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:  # noqa: F811
    """After a photo of 10 MB was uploaded, read and explained."""
    photo = tmp_path_factory.mktemp("photo") / "large.png"
    drawn = np.asarray(Image.fromarray(draw_synthetic_lesion(1)).resize((2200, 1650)), dtype=np.int16)
    noise = np.random.default_rng(0).integers(-60, 60, drawn.shape, dtype=np.int16)
    Image.fromarray(np.clip(drawn + noise, 0, 255).astype(np.uint8)).save(photo, compress_level=1)
    assert LARGE * 0.8 < photo.stat().st_size < 25_000_000
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(LIMIT_S * 1000)
    expect.set_options(timeout=LIMIT_S * 1000)
    page.goto(watched.address)
    begin(page, watched.address.partition("/?")[0])
    page.locator("input[type=file]").set_input_files(photo)
    show_reading(page)
    expect(page.get_by_text("cut-off").first).to_be_visible()
    part(page, "Why?")
    made(page, "Grad-CAM")
    yield page
    context.close()


def test_no_file_ever_held_the_upload(page: Page, watched: Served) -> None:
    """Also no file without a name, as Python's spooled files are. The store's reserve of empty bytes is none."""
    large = {path: count for path, count in watched.trace.bytes_in_files().items() if count > SMALL}
    large.pop(str(watched.home / "reserve.bin"), None)
    assert large == {}


def test_the_server_reaches_nobody_and_writes_nowhere_else(page: Page, watched: Served) -> None:
    time.sleep(5)  # what a library sends, it sends some seconds after its start
    assert watched.trace.reached() == set()
    assert watched.trace.written([watched.home, Path(tempfile.gettempdir())]) == set()
    assert list(watched.user.rglob("*")) == []


def test_the_trace_sees_a_file_without_a_name(tmp_path: Path) -> None:
    """The same eyes on what Starlette does with an upload unless it is told otherwise."""
    trace = Trace(tmp_path / "trace")
    script = "import tempfile; f = tempfile.SpooledTemporaryFile(max_size=10); f.write(b'x' * 600_000); f.flush()"
    subprocess.run(trace.command(sys.executable, "-c", script), check=True)
    assert [count for count in trace.bytes_in_files().values() if count > SMALL] == [600_000]
