"""The API on a real socket, and where it refuses to listen."""

import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from skinlens.accounts import Tokens
from skinlens.api import server
from skinlens.api.service import Service
from skinlens.cli import main
from skinlens.errors import ServeError
from skinlens.imaging.intake import MAX_BYTES
from skinlens.serve import free_port
from tests.api.conftest import bearer


@contextmanager
def listening(service: Service, port: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """``server.serve`` with its own settings, in a thread of this process."""
    running: list[uvicorn.Server] = []

    def run(app: object, **settings: object) -> None:
        running.append(uvicorn.Server(uvicorn.Config(app, **settings)))  # type: ignore[arg-type]
        running[0].run()

    monkeypatch.setattr(uvicorn, "run", run)
    monkeypatch.setattr(server.pipeline, "load_classifier", lambda _: service.classifier)
    thread = threading.Thread(target=server.serve, kwargs={"port": port})
    thread.start()
    try:
        end = time.monotonic() + 30
        while not (running and running[0].started) and time.monotonic() < end:
            time.sleep(0.01)
        yield
    finally:
        running[0].should_exit = True
        thread.join(30)


def test_it_answers_on_a_socket_and_refuses_before_the_body_came(
    service: Service, tokens: Tokens, lesion: bytes, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    port, header = free_port("127.0.0.1", int(os.environ["SKINLENS_TEST_PORT"])), bearer(tokens)
    with listening(service, port, monkeypatch):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        client.request("POST", "/predict", lesion, header)
        answered = client.getresponse()
        assert (answered.status, answered.getheader("server")) == (200, None)
        assert b'"photo_sha256"' in answered.read()
        client.close()
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
            head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {header['authorization']}\r\n"
            raw.sendall(f"{head}Content-Length: {MAX_BYTES + 1}\r\n\r\n".encode())
            refused = b""
            while piece := raw.recv(65536):  # until the server closes: it waits for no body
                refused += piece
        assert refused.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in refused
    said = capfd.readouterr()
    assert f"SkinLens API: http://127.0.0.1:{port}" in said.err
    for secret in (header["authorization"].partition(" ")[2], "/predict"):
        assert secret not in said.err + said.out


@pytest.mark.parametrize("reach", [["--host", "0.0.0.0"], ["--behind-proxy", "https://clinic.example"]])
def test_where_others_reach_it_it_does_not_start_without_a_token(
    reach: list[str], capsys: pytest.CaptureFixture[str], tokens: Tokens
) -> None:
    tokens.add("screen", "reader")
    tokens.revoke("screen")
    assert main(["api", *reach]) == 2
    assert "there is no token yet" in capsys.readouterr().err


def test_a_taken_port_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(ServeError, match="is taken"):
        server.serve(port=taken.getsockname()[1])


def test_on_this_computer_it_says_that_nobody_is_let_in_yet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["api", "--port", str(taken.getsockname()[1])]) == 2
    assert "There is no token yet, so nobody is let in." in capsys.readouterr().err
