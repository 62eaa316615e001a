"""Drift between two releases on the same photos: which cases changed class or crossed the cut-off, by site and camera.

Cameras are not kept with a photo, as all metadata is dropped: its file format and its size in pixels stand for one.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Answer:
    """Answer of one release on one photo."""

    label: str
    """The most probable class."""
    melanoma_prob: float
    flagged: bool
    """Melanoma at or above that release's own cut-off."""
    reliable: bool
    """False for a photo that is unlike its training photos: then the rest says nothing."""


@dataclass(frozen=True)
class Pair:
    """Stored and newer answer on the photo of one stored case."""

    visit_id: int
    body_site: str
    camera: str
    stored: Answer
    newer: Answer

    @property
    def comparable(self) -> bool:
        return self.stored.reliable and self.newer.reliable

    @property
    def changed_class(self) -> bool:
        return self.comparable and self.stored.label != self.newer.label

    @property
    def crossed(self) -> Literal["up", "down", ""]:
        """Whether the case is flagged for melanoma now and was not (up), or the other way round."""
        if not self.comparable or self.stored.flagged == self.newer.flagged:
            return ""
        return "up" if self.newer.flagged else "down"


@dataclass(frozen=True)
class Group:
    """Counts of some cases."""

    name: str
    cases: int
    compared: int
    """Cases whose photo is like the training photos of both releases; the next counts are of these."""
    changed_class: int
    crossed_up: int
    crossed_down: int
    mean_shift: float | None
    """Of melanoma's probability, newer minus stored; None where nothing was compared."""


@dataclass(frozen=True)
class Drift:
    """Drift of all cases that a release scored again."""

    whole: Group
    by_site: tuple[Group, ...]
    """The largest first, as by camera."""
    by_camera: tuple[Group, ...]
    changed: tuple[Pair, ...]
    """Pairs that crossed the cut-off, then pairs that changed class alone; each by the size of the shift."""


def drift(pairs: Sequence[Pair]) -> Drift:
    """Drift of these cases; of none, counts of 0."""
    changed = [pair for pair in pairs if pair.crossed or pair.changed_class]
    return Drift(
        _group("All cases", pairs),
        _groups(pairs, lambda pair: pair.body_site),
        _groups(pairs, lambda pair: pair.camera),
        tuple(sorted(changed, key=lambda pair: (not pair.crossed, -abs(_shift(pair)), pair.visit_id))),
    )


def _groups(pairs: Iterable[Pair], key: Callable[[Pair], str]) -> tuple[Group, ...]:
    parts: dict[str, list[Pair]] = {}
    for pair in pairs:
        parts.setdefault(key(pair), []).append(pair)
    groups = (_group(name, part) for name, part in parts.items())
    return tuple(sorted(groups, key=lambda group: (-group.cases, group.name)))


def _group(name: str, pairs: Sequence[Pair]) -> Group:
    compared = [pair for pair in pairs if pair.comparable]
    return Group(
        name,
        len(pairs),
        len(compared),
        sum(pair.changed_class for pair in compared),
        sum(pair.crossed == "up" for pair in compared),
        sum(pair.crossed == "down" for pair in compared),
        sum(map(_shift, compared)) / len(compared) if compared else None,
    )


def _shift(pair: Pair) -> float:
    return pair.newer.melanoma_prob - pair.stored.melanoma_prob
