"""The app finds a port to listen on, or says why it cannot."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from skinlens import serve
from skinlens.errors import ServeError


def test_a_taken_port_is_passed_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        free = serve.free_port("127.0.0.1", port)
    assert port < free <= port + 100


def test_a_free_port_is_kept() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert serve.free_port("127.0.0.1", port) == port


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_what_is_no_port_is_refused(port: int) -> None:
    with pytest.raises(ServeError, match=re.escape(f"{port} is no port. Give a number from 1 to 65535")):
        serve.free_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ServeError, match=r"cannot listen on 192\.0\.2\.1, port 8501 .*Give an address of this machine"):
        serve.free_port("192.0.2.1", 8501)


def test_streamlit_is_told_to_ask_and_to_send_nothing() -> None:
    command = serve.streamlit_command("127.0.0.1", 8501)
    assert Path(command[4]) == serve.ROOT / "app.py"
    options = dict(zip(command[5::2], command[6::2], strict=True))
    assert options["--browser.gatherUsageStats"] == "false"
    assert options["--server.showEmailPrompt"] == "false"
    assert options["--server.address"] == "127.0.0.1"


URL = re.compile(r"http://127\.0\.0\.1:\d+(?= \(stop)")
T = TypeVar("T")


def until(ask: Callable[[], T | None], app: subprocess.Popen[bytes]) -> T:
    """Ask until there is an answer, for as long as the app runs and for a minute at most."""
    deadline = time.monotonic() + 60
    while (answer := ask()) is None:
        assert app.poll() is None, "the app stopped before it served anything"
        assert time.monotonic() < deadline, "the app did not come up within a minute"
        time.sleep(0.1)
    return answer


def body(url: str) -> bytes | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bytes(response.read())
    except OSError:
        return None


@pytest.mark.slow
def test_the_app_comes_up_beside_a_taken_port(tmp_path: Path) -> None:
    """The real thing, from another folder and without a home: it says which port it takes, and answers there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = f"from skinlens.serve import serve; serve('127.0.0.1', {port})"
        environment = os.environ | {
            "PYTHONPATH": str(serve.ROOT),
            "HOME": str(tmp_path),
            "STREAMLIT_SERVER_HEADLESS": "true",  # open no browser on the machine that runs the tests
        }
        log = tmp_path / "log"
        with log.open("w") as output:
            app = subprocess.Popen(
                [sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            url = until(lambda: URL.search(log.read_text()), app)[0]
            assert until(lambda: body(f"{url}/_stcore/health"), app) == b"ok"
            taken_port = f"Port {port} is taken by another program; SkinLens takes {url.rpartition(':')[2]}."
            assert log.read_text().splitlines()[:2] == [taken_port, f"SkinLens: {url} (stop it with Ctrl+C)"]
        finally:
            app.terminate()
            app.wait(timeout=60)
