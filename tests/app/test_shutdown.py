"""The end of the server that runs the app: soon, whatever a client holds, and not before the photos are filed."""

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from skinlens import background
from skinlens.ui.shell import shutdown

LIMIT_S = 30
"""Only for what never happens: then the server is made to end."""
ANSWER = bytes(20_000_000)
"""More than the system holds for a client that reads nothing."""


def ended_by_itself(client: Callable[[uvicorn.Server, int], socket.socket | None]) -> bool:
    """Whether a server ends that ``client`` (given its port) has told to, without being made to."""
    servers: list[uvicorn.Server | None] = []

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        servers.append(shutdown.running_server())
        async with shutdown.graceful(servers[0]):
            yield

    async def answer(_request: Request) -> Response:
        return Response(ANSWER)

    app = Starlette(routes=[Route("/", answer)], lifespan=lifespan)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    over, held = threading.Event(), []

    def drive() -> None:
        while not server.started:
            time.sleep(0.01)
        held.append(client(server, port))
        server.should_exit = True
        if not over.wait(LIMIT_S):
            server.force_exit = True

    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        driver = threading.Thread(target=drive)
        driver.start()
        server.run(sockets=[listener])
        over.set()
        driver.join()
    for one in filter(None, held):
        one.close()
    assert servers == [server]
    return not server.force_exit


def test_it_waits_no_longer_than_a_limit_for_who_does_not_read_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "GRACE_S", 0.2)

    def reads_nothing(_server: uvicorn.Server, port: int) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port))
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.recv(1)  # the answer has begun
        return client

    assert ended_by_itself(reads_nothing)


def test_a_connection_that_comes_while_it_stops_listening_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutdown, "GRACE_S", None)

    def comes_with_the_end(server: uvicorn.Server, port: int) -> socket.socket:
        stands_still = threading.Event()
        server.servers[0].get_loop().call_soon_threadsafe(stands_still.wait)
        client = socket.create_connection(("127.0.0.1", port))
        time.sleep(0.3)  # the server's own look at whether it is to end is due as well
        server.should_exit = True
        stands_still.set()
        return client

    assert ended_by_itself(comes_with_the_end)


async def begin_and_end(server: uvicorn.Server | None) -> None:
    async with shutdown.graceful(server):
        pass


def test_what_is_filed_is_finished_first_unless_it_is_told_again(capsys: pytest.CaptureFixture[str]) -> None:
    told, filed = threading.Event(), []

    def work() -> None:
        assert told.wait(LIMIT_S)
        filed.append("photo")

    worker = background.start_finishing(work, "filing")
    again = uvicorn.Server(uvicorn.Config("none"))
    again.force_exit = True
    asyncio.run(begin_and_end(again))
    assert (filed, worker.is_alive()) == ([], True)
    assert capsys.readouterr().err == f"{shutdown.FINISHING}\n"
    threading.Timer(0.2, told.set).start()
    asyncio.run(begin_and_end(None))
    assert (filed, worker.is_alive()) == (["photo"], False)
    asyncio.run(begin_and_end(None))
    assert capsys.readouterr().err == f"{shutdown.FINISHING}\n"
