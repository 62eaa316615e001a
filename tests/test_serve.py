"""The app finds a port to listen on, or says why it cannot."""

import os
import re
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

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


def test_the_app_comes_up_beside_a_taken_port(tmp_path: Path) -> None:
    """The real thing, from another folder and without a home: it says which port it takes, and answers there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code = f"from skinlens.serve import serve; serve('127.0.0.1', {port})"
        environment = os.environ | {
            "PYTHONPATH": str(serve.ROOT),
            "HOME": str(tmp_path),
            "STREAMLIT_SERVER_HEADLESS": "true",
        }
        app = subprocess.Popen(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with app:
            try:
                assert app.stdout is not None
                first = app.stdout.readline()
                told = re.fullmatch(rf"Port {port} is taken by another program; SkinLens takes (\d+)\.\n", first)
                assert told, first
                while "You can now view" not in (line := app.stdout.readline()):
                    assert line, "the app stopped before it served anything"
                with urllib.request.urlopen(f"http://127.0.0.1:{told[1]}/_stcore/health") as answer:
                    assert answer.read() == b"ok"
            finally:
                app.terminate()
