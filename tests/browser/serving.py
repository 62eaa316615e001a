"""The app in a process of its own and a Chromium to drive it: for the browser tests and ``benchmarks/screen.py``."""

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 240
"""Only for what never happens: on a busy machine a map that takes seconds can take minutes."""
SWITCHES = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@contextmanager
def serving(
    arguments: Sequence[str],
    port: int,
    home: Path,
    release: Path | None = None,
    told: Mapping[str, str] | None = None,
    program: Path = Path(sys.executable),
    cwd: Path = ROOT,
) -> Iterator[str]:
    """The address of an app that ``program`` is started with ``arguments`` for, until the block is left; its log is in
    ``home``, which may be new. ``release``: the weights, None for the shipped ones; ``told``: more of its environment.
    """
    environment = {**os.environ, **(told or {}), "SKINLENS_HOME": str(home)}
    if release is not None:
        environment["SKINLENS_WEIGHTS"] = str(release)
    home.mkdir(mode=0o700, exist_ok=True)
    with (home / "log").open("wb") as log:
        command = [str(program), *arguments]
        server = subprocess.Popen(command, cwd=cwd, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            wait_for(port, server)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(LIMIT_S)


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    """Until the app answers."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        assert server.poll() is None, "the app ended at its start"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as answer:
            if answer.code == 401:  # it answers who has signed in
                return
            time.sleep(0.05)
        except (TimeoutError, OSError):
            time.sleep(0.05)
    raise AssertionError("the app did not answer")


def printed(log: Path) -> str:
    """The address that the app says it is opened at."""
    end = time.monotonic() + LIMIT_S
    while (found := re.search(r"^SkinLens: (\S+)", log.read_text(), re.MULTILINE)) is None:
        assert time.monotonic() < end, "the app said no address"
        time.sleep(0.05)
    return found[1]


def program() -> str | None:
    """Chromium. The build without a window's code (Debian's chromium-headless-shell) lays out and runs pages alike in
    half of the processor time, so it goes first. None: there is none.
    """
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@contextmanager
def launched(path: str, *switches: str) -> Iterator[Browser]:
    """That Chromium without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=[*SWITCHES, *switches])
        yield browser
        browser.close()
