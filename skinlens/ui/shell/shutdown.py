"""Graceful shutdown of the app: within seconds, whatever a browser holds, and not before the photos are filed.

Uvicorn waits without limit until each connection is closed. Two kinds are never while their browser is there: one that
came in the moment in which the server stopped listening, and on which nothing is asked, as browsers do ahead; and
one on which an answer waits that the browser does not take. The first are told to close like all others here; for the
second there is a limit, for which Streamlit has no setting.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn

from skinlens.background import GRACE_S, is_finishing

FINISHING = "SkinLens files the photos that it was told to, then it ends. Ctrl+C again ends it now."
_LOOK_S = 0.1
_TURNS = 5
"""Turns of the event loop, more than a connection takes from being accepted to being known to the server."""


def running_server() -> uvicorn.Server | None:
    """The server that runs this process, by who handles its signals; None where that is no uvicorn."""
    owner = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return owner if isinstance(owner, uvicorn.Server) else None


@asynccontextmanager
async def graceful(server: uvicorn.Server | None) -> AsyncIterator[None]:
    """Bound what ``server`` waits for, unless it was told a bound, and at the end of the block finish what is filed."""
    if server is not None:
        _tell_all(server)
        if server.config.timeout_graceful_shutdown is None:
            server.config.timeout_graceful_shutdown = GRACE_S
    yield
    for connection in tuple(server.server_state.connections) if server is not None else ():
        connection.transport.abort()  # its time is over
    if is_finishing():
        print(FINISHING, file=sys.stderr)
    while is_finishing() and not (server is not None and server.force_exit):
        await asyncio.sleep(_LOOK_S)


def _tell_all(server: uvicorn.Server) -> None:
    """Have its shutdown begin once all that it accepted are known to it: it tells those alone that it ends."""
    tell_known = server.shutdown

    async def shutdown(sockets: list[socket.socket] | None = None) -> None:
        for listener in server.servers:
            listener.close()
        for _ in range(_TURNS):
            await asyncio.sleep(0)
        await tell_known(sockets)

    server.shutdown = shutdown  # type: ignore[method-assign]
