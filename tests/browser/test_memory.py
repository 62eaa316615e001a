"""A closed tab gives its memory back, and a reloaded one keeps its photo."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.store import CaseStore
from tests.browser.test_journey import LIMIT_S, begin, browser, served  # noqa: F401  (browser is a fixture)

SOON = Path(__file__).with_name("soon_server.py")
CLOSED_S = "15"
"""After a tab was closed until it is forgotten, here: half of what it is."""
TABS = 4
SIDES = (4000, 3000)
PIXELS_MB = SIDES[0] * SIDES[1] * 3 / 1e6


def server_process(home: Path) -> Path:
    """The folder under /proc of the server that has its log in this folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"SKINLENS_HOME={home}".encode() in (process / "environ").read_bytes().split(b"\0"):
                return process
    raise AssertionError("the server is gone")


def memory_mb(server: Path) -> float:
    """Resident memory."""
    return float((server / "status").read_text().partition("VmRSS:")[2].split()[0]) / 1000


def cpu_s(server: Path) -> float:
    """Processor time, of the user and of the system."""
    fields = (server / "stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def wait_until_idle(server: Path) -> None:
    """Maps that are computed ahead take memory of their own: let them finish."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        before = cpu_s(server)
        time.sleep(3)
        if cpu_s(server) - before < 0.15:
            return
    raise AssertionError("the server is still busy")


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "large.jpg"
    Image.fromarray(draw_synthetic_lesion(1)).resize(SIDES).save(path, quality=85)
    return path


@pytest.fixture
def open_tabs(browser: Browser) -> Iterator[list[Page]]:  # noqa: F811
    expect.set_options(timeout=LIMIT_S * 1000)
    context = browser.new_context()
    pages = [context.new_page() for _ in range(TABS)]
    for page in pages:
        page.set_default_timeout(LIMIT_S * 1000)
    yield pages
    context.close()


def test_closed_tabs_give_their_memory_back_and_a_reloaded_one_keeps_its_photo(
    open_tabs: list[Page], photo: Path, release: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    with served(home, release, start=(str(SOON), CLOSED_S)) as address:
        CaseStore(home).acknowledge_disclaimer()
        for page in open_tabs:
            begin(page, address)
            page.locator("input[type=file]").set_input_files(photo)
            expect(page.get_by_text("Your impression first")).to_be_visible()
        stays, *others = open_tabs
        stays.reload()
        expect(stays.get_by_text("Your impression first")).to_be_visible()
        server = server_process(home)
        wait_until_idle(server)
        full = memory_mb(server)
        for page in others:
            page.close(run_before_unload=False)
        end = time.monotonic() + 60
        wanted = full - PIXELS_MB * (len(others) - 0.8)  # with one photo more in memory this would not be reached
        while (now := memory_mb(server)) > wanted:
            assert time.monotonic() < end, f"{full:.0f} MB before, still {now:.0f} MB; expected {wanted:.0f} MB at most"
            time.sleep(1)
        stays.reload()  # later than a closed tab is forgotten
        expect(stays.get_by_text("Your impression first")).to_be_visible()
