"""Equal maps of several sessions: who asks for the same map of the same photo gets the one that is there or made."""

import threading
import time
from collections.abc import Callable, Mapping
from weakref import WeakValueDictionary

from skinlens.explain import explain
from skinlens.inference.classifier import Classifier
from skinlens.records import Explanation, Method, ModelRef, Photo, Progress

LOOK_S = 0.05
"""How often one that waits looks, and tells its page how far the other has come."""

Request = tuple[str, str, str, str, tuple[tuple[str, object], ...]]


def request(method: Method, model: ModelRef, photo: Photo, label: str, settings: Mapping[str, object]) -> Request:
    """Everything that decides a map, the content of the photo among it."""
    return method, model.sha256, photo.sha256, label, tuple(sorted(settings.items()))


class _Making:
    def __init__(self) -> None:
        self.fraction = 0.0
        self.ended = threading.Event()


class EqualMaps:
    """The maps that some session holds, by what decides them; one that no session holds any more is forgotten."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: WeakValueDictionary[Request, Explanation] = WeakValueDictionary()
        self._making: dict[Request, _Making] = {}

    def once(self, wanted: Request, make: Callable[[Progress], Explanation], progress: Progress) -> Explanation:
        """The map that is there, or that is being made; else ``make`` it. Where another that made it stopped or failed,
        this one makes it.

        Raises:
            Cancelled: by ``progress``, also while it waits for another.
            SkinLensError: as ``make`` does.
        """
        mine = _Making()
        while True:
            with self._lock:
                if (made := self._made.get(wanted)) is not None:
                    return made
                other = self._making.setdefault(wanted, mine)
            if other is mine:
                break
            while not other.ended.is_set():
                progress(other.fraction)
                time.sleep(LOOK_S)

        def report(fraction: float) -> None:
            mine.fraction = fraction
            progress(fraction)

        made = None
        try:
            made = make(report)
            return made
        finally:
            with self._lock:
                if made is not None:
                    self._made[wanted] = made
                del self._making[wanted]
            mine.ended.set()


EQUAL_MAPS = EqualMaps()


def maker(
    method: Method, classifier: Classifier, photo: Photo, label: str, settings: Mapping[str, object]
) -> Callable[[Progress], Explanation]:
    """Computation of this map, which is none where another session holds it."""

    def make(progress: Progress) -> Explanation:
        return explain(method, classifier, photo, label, params=settings, progress=progress)

    wanted = request(method, classifier.engine.model_ref, photo, label, settings)
    return lambda progress: EQUAL_MAPS.once(wanted, make, progress)
