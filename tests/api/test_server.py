"""The API on a real socket, and where it refuses to listen."""

import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest
import uvicorn

from skinlens.accounts import Tokens
from skinlens.api import connections, server
from skinlens.api.service import Service
from skinlens.cli import main
from skinlens.errors import ServeError
from skinlens.imaging.intake import MAX_BYTES
from skinlens.labels import DISCLAIMER
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


def received(sent: socket.socket) -> bytes:
    """All that comes until the server closes."""
    told = b""
    with suppress(ConnectionResetError):
        while piece := sent.recv(65536):
            told += piece
    return told


def refusal(answer: bytes) -> tuple[bytes, str, str]:
    """Status line and kind of an answer, and the disclaimer in its header; the one in the body is the same."""
    head, _, body = answer.partition(b"\r\n\r\n")
    said = json.loads(body)
    (line,) = (one for one in head.split(b"\r\n") if one.startswith(b"skinlens-disclaimer: "))
    assert line.partition(b": ")[2].decode() == said["disclaimer"]
    return head.partition(b"\r\n")[0], said["error"]["kind"], said["disclaimer"]


def test_who_sends_no_whole_head_is_closed_and_keeps_nobody_out(
    service: Service, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    monkeypatch.setattr(connections, "MOST_WAITING", 8)
    port, header = free_port("127.0.0.1", int(os.environ["SKINLENS_TEST_PORT"])), bearer(tokens)
    with listening(service, port, monkeypatch), ExitStack() as opened:

        def connected(data: bytes) -> socket.socket:
            made = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            made.sendall(data)
            return made

        client = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        opened.callback(client.close)
        waiting = [connected(b"GET /openapi.json HTTP/1.1\r\nHost: 127" if number % 2 else b"") for number in range(20)]
        for _ in range(2):  # the second time on the same connection, which is not counted among those that wait
            client.request("GET", "/openapi.json", headers=header)
            answered = client.getresponse()
            assert (answered.status, answered.read()[:11]) == (200, b'{"openapi":')
        told = [received(one) for one in waiting]
        assert {refusal(one)[:2] for one in told[1::2] if one} == {(b"HTTP/1.1 408 Request Timeout", "TooSlow")}
        assert set(told[::2]) == {b""}
        assert client.sock is not None
        client.sock.sendall(b"GET /openapi.json")  # half a second head
        assert refusal(received(client.sock))[:2] == (b"HTTP/1.1 408 Request Timeout", "TooSlow")
        no_http = received(connected(b"no http\r\n\r\n"))
    assert refusal(no_http) == (b"HTTP/1.1 400 Bad Request", "NoHTTP", DISCLAIMER)


def test_it_ends_soon_and_tells_who_has_not_sent_all_of_a_photo(
    service: Service, tokens: Tokens, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "GRACE_S", 0.2)
    port, header = free_port("127.0.0.1", int(os.environ["SKINLENS_TEST_PORT"])), bearer(tokens)
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: {header['authorization']}\r\n"
    with ExitStack() as opened:
        with listening(service, port, monkeypatch):
            client = opened.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5))
            client.sendall(f"{head}Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n".encode())
            assert client.recv(65536).startswith(b"HTTP/1.1 100")  # the body is waited for, a minute at most
        assert refusal(received(client)) == (b"HTTP/1.1 503 Service Unavailable", "Ending", DISCLAIMER)


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


def test_an_address_of_another_machine_is_refused_in_the_name_of_the_api(tokens: Tokens) -> None:
    tokens.add("screen", "reader")
    with pytest.raises(ServeError, match=r"^The API cannot listen on 192\.0\.2\.1, port "):
        server.serve("192.0.2.1")


def test_on_this_computer_it_says_that_nobody_is_let_in_yet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["api", "--port", str(taken.getsockname()[1])]) == 2
    assert "There is no token yet, so nobody is let in." in capsys.readouterr().err
