"""Bounds of what a sender may take of the receiver: memory for a message, time for a part of one, and connections.

pynetdicom believes the length that a part claims, waits anew for each packet, and counts a connection that has said
nothing yet as one that sends. So each connection's reading is done here.

References: DICOM PS3.8 9.3.4 (refusals), 9.3.5 (parts of a message).
"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pynetdicom import evt

from skinlens.formatting import grouped

MOST_CONNECTIONS = 8
"""Connections that send at a time: each may hold a message."""
MOST_SILENT = 16
"""Connections that have not asked for an association yet; for one more, the oldest of them is closed."""
FIRST_S = 5.0
"""Time within which a connection has to have asked for an association."""
PART_S = 30.0
"""Time within which a part that has begun has to be there, and the longest silence between two."""
_MAX_PART = 1_000_000
"""Bytes of a part of a message; 64 kB are agreed upon."""
_BESIDE = 200_000
"""Bytes of a message beside its object."""
_READ_BYTES = 65_536
_LIMIT_EXCEEDED = 0x02, 0x03, 0x02
"""Rejected, transient, by the presentation layer: local limit exceeded."""


@dataclass(eq=False)
class _Open:
    association: Any
    connection: socket.socket
    since: float
    filled: int = 0
    """Bytes of the message that is coming in."""

    def lives(self, now: float) -> bool:
        """Whether its thread runs, or is just to be started."""
        return bool(self.association.is_alive()) or now - self.since < FIRST_S


class Bounds:
    """Bounds of all connections of one receiver. Its methods are handlers of pynetdicom's events, called from any
    thread.
    """

    def __init__(self, max_bytes: int, said: Callable[[str], None]) -> None:
        """``max_bytes``: of one object. ``said`` gets a sentence for each connection that is cut off."""
        self._most, self._said = max_bytes + _BESIDE, said
        self._lock = threading.Lock()
        self._open: dict[int, _Open] = {}

    def opened(self, event: evt.Event) -> None:
        """Have the connection read within the bounds, and make room for it among those that are silent."""
        connection: Any = event.assoc.dul.socket
        new = _Open(event.assoc, connection.socket, time.monotonic())
        with self._lock:
            # Of one that ends before it asked for anything, pynetdicom does not tell that it is closed.
            self._open = {key: opened for key, opened in self._open.items() if opened.lives(new.since)}
            silent = [opened for opened in self._open.values() if not opened.association.is_established]
            self._open[id(event.assoc)] = new
        for opened in silent[: max(0, len(silent) + 1 - MOST_SILENT)]:
            _end(opened)
        connection.recv = lambda size: self._read(new, connection, size)

    def asked(self, event: evt.Event) -> None:
        """Refuse an association while as many send as may."""
        with self._lock:
            sending = sum(opened.association.is_established for opened in self._open.values())
        if sending >= MOST_CONNECTIONS:
            event.assoc.acse.send_reject(*_LIMIT_EXCEEDED)
            event.assoc.kill()

    def message_ends(self, event: evt.Event) -> None:
        """End of a message: what comes next counts from nothing."""
        with self._lock:
            if opened := self._open.get(id(event.assoc)):
                opened.filled = 0

    def closed(self, event: evt.Event) -> None:
        with self._lock:
            self._open.pop(id(event.assoc), None)

    def close_all(self) -> None:
        """Close every connection that is open."""
        with self._lock:
            still_open = tuple(self._open.values())
        for opened in still_open:
            _end(opened)

    def _read(self, opened: _Open, connection: Any, size: int) -> bytearray:
        """So many bytes, or as many as there are within the time. Nothing is taken for the end of the connection."""
        opened.filled += size
        if size > _MAX_PART or opened.filled > self._most:
            return self._cut(opened, connection, f"its message has more than {grouped(self._most)} bytes")
        begun = opened.association.is_established
        end, read = time.monotonic() + PART_S if begun else opened.since + FIRST_S, bytearray()
        while len(read) < size:
            left = end - time.monotonic()
            try:
                if left <= 0:
                    raise TimeoutError
                opened.connection.settimeout(left)
                part = opened.connection.recv(min(size - len(read), _READ_BYTES))
            except TimeoutError:
                late = f"a part of its message took more than {PART_S:g} seconds"
                return self._cut(
                    opened, connection, late if begun else f"it asked for nothing within {FIRST_S:g} seconds"
                )
            if not part:
                break
            read += part
        return read

    def _cut(self, opened: _Open, connection: Any, why: str) -> bytearray:
        self._said(f"A sender was cut off: {why}.")
        opened.connection.close()
        connection._is_connected = False  # so that nothing is asked of it any more
        return bytearray()


def _end(opened: _Open) -> None:
    """Its own thread finds it closed."""
    with suppress(OSError):  # it is closed already
        opened.connection.shutdown(socket.SHUT_RDWR)
