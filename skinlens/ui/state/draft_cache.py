"""Photos that are open and not saved: held in memory for a while, so that reloading the page does not lose them.

The address of the page names one by a random token; nothing of it is ever on the disk.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

MOST = 16
"""More than a clinic's open tabs."""
MOST_BYTES = 400_000_000
"""Most bytes of all items together; a photo of 25 million pixels takes 75 MB."""
TTL_S = 3600.0
"""After its page was last drawn. As long as Streamlit keeps the session of a tab that lost its connection."""

Item = TypeVar("Item")


class TTLStore(Generic[Item]):
    """Items by token: the latest ``most`` that together take ``most_bytes`` or less (the very latest whatever it
    takes), each until ``ttl_s`` after it was last held, and found again by its ``owner`` alone: who asks for it must be
    who held it. Any thread may use it.
    """

    def __init__(
        self,
        most: int = MOST,
        ttl_s: float = TTL_S,
        clock: Callable[[], float] = time.monotonic,
        *,
        most_bytes: int = MOST_BYTES,
        size: Callable[[Item], int] = lambda _: 0,
        owner: Callable[[], str] = lambda: "",
    ) -> None:
        self._most, self._ttl_s, self._clock = most, ttl_s, clock
        self._most_bytes, self._size, self._owner = most_bytes, size, owner
        self._lock = threading.Lock()
        self._held: OrderedDict[tuple[str, str], tuple[float, Item]] = OrderedDict()
        self._timer: threading.Timer | None = None

    def hold(self, token: str, item: Item) -> None:
        """Keep it from now on, in the place of what the token named before."""
        key = self._owner(), token
        with self._lock:
            self._held[key] = (self._clock(), item)
            self._held.move_to_end(key)
            self._forget_old()

    def find(self, token: str) -> Item | None:
        """None: it was never held, or not any more."""
        key = self._owner(), token
        with self._lock:
            self._forget_old()
            return self._held[key][1] if key in self._held else None

    def every(self) -> tuple[Item, ...]:
        """All items that are held."""
        with self._lock:
            return tuple(item for _, item in self._held.values())

    def drop(self, token: str) -> None:
        key = self._owner(), token
        with self._lock:
            self._held.pop(key, None)

    def drop_where(self, condition: Callable[[Item], bool]) -> None:
        """Let go of every item that it holds for."""
        with self._lock:
            for key in [key for key, (_, item) in self._held.items() if condition(item)]:
                del self._held[key]

    def expire_where(self, condition: Callable[[Item], bool], within_s: float) -> None:
        """Let go of every item that it holds for, unless it is held again within that time."""
        with self._lock:
            keys = [key for key, (_, item) in self._held.items() if condition(item)]
            for key in keys:
                self._held[key] = (self._clock() + within_s - self._ttl_s, self._held[key][1])
                self._held.move_to_end(key, last=False)
            if keys and self._timer is not None:  # it was set for later
                self._timer.cancel()
                self._timer = None
            self._forget_old()

    def _forget_old(self) -> None:
        now = self._clock()
        while self._held and (self._too_much() or now - next(iter(self._held.values()))[0] >= self._ttl_s):
            self._held.popitem(last=False)
        if self._held and self._timer is None:  # also where nobody looks again, it must not stay
            oldest = next(iter(self._held.values()))[0]
            self._timer = threading.Timer(oldest + self._ttl_s - now, self._timed)
            self._timer.daemon = True
            self._timer.start()

    def _too_much(self) -> bool:
        together = sum(self._size(item) for _, item in self._held.values())
        return len(self._held) > self._most or (len(self._held) > 1 and together > self._most_bytes)

    def _timed(self) -> None:
        with self._lock:
            self._timer = None
            self._forget_old()


def new_token() -> str:
    """128 random bits, as they may stand in an address."""
    return secrets.token_urlsafe(16)
