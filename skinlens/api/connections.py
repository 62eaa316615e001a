"""Connections of the API: closed unless a whole request head comes soon, and refused in the words of every answer.

Uvicorn has no limit for the head of a request, counts silent connections among those that it serves, and answers
without the disclaimer where no HTTP is sent. Here a connection that waits for a head costs nobody else anything: it has
a timer, and where too many wait the oldest is closed, so that there is always room for who sends a request now.
"""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol, RequestResponseCycle

from skinlens.api.responses import HEADERS, refused

HEAD_S = 5.0
"""Time for a whole request head, from the connection or, on one that is used again, from its first byte on."""
UNREAD_S = 60.0
"""Time after which a connection is given up whose other end takes nothing of an answer."""
MOST_WAITING = 256
"""Connections that may wait for a head at a time; more than the system hands over at once (``BACKLOG``)."""
BACKLOG = 128
"""Connections that the system holds until they are taken."""
NO_HTTP = "This is no HTTP request that can be read. Nothing of it was looked at; send it again as HTTP/1.1."
NO_HEAD = f"No whole request head came within {HEAD_S:.0f} seconds. Send it in one piece."


class Connection(H11Protocol):
    """One connection, in the event loop of its server."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._head: asyncio.TimerHandle | None = None
        """Runs while a head is waited for."""
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_head()
        waiting = {
            connection: connection._head.when()
            for connection in self.connections
            if isinstance(connection, Connection) and connection._head
        }
        if len(waiting) > MOST_WAITING:
            min(waiting, key=waiting.__getitem__)._give_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._no_longer_waits()
        self.resume_writing()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self._begun():
            self._no_longer_waits()
        else:
            self._expect_head()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self._begun() and self.conn.trailing_data[0]:  # the next head came in part while this one was answered
            self._unset_keepalive_if_required()
            self._expect_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  uvicorn's word for it, without the disclaimer
        """Refuse what is no HTTP."""
        self._refuse(400, "NoHTTP", NO_HTTP)

    def _begun(self) -> bool:
        """Whether a request was taken that is not answered yet."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # None before the first
        return cycle is not None and not cycle.response_complete

    def _expect_head(self) -> None:
        if self._head is None and not self.transport.is_closing():
            self._head = self.loop.call_later(HEAD_S, self._give_up)

    def _no_longer_waits(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

    def _give_up(self) -> None:
        """Close it: with a sentence where a part of a head came, otherwise without."""
        begun = bool(self.conn.trailing_data[0])
        self._no_longer_waits()
        if self.transport.is_closing():
            return
        if begun:
            self._refuse(408, "TooSlow", NO_HEAD)
        else:
            self.transport.close()

    def _refuse(self, status: int, kind: str, message: str) -> None:
        if not (self._begun() and self.cycle.response_started):
            answer = refused(status, kind, message, {**HEADERS, "connection": "close"})
            lines = [b"HTTP/1.1 %d %b" % (status, STATUS_PHRASES[status]), *map(b": ".join, answer.raw_headers)]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self.transport.close()
