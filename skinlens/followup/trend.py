"""Trend of the melanoma probability over all visits of a lesion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from skinlens.inference.classifier import Classifier
from skinlens.labels import INDEX, MELANOMA
from skinlens.records import ModelRef, Photo, Visit


@dataclass(frozen=True)
class TrendPoint:
    """One visit."""

    visit_id: int
    taken_on: str
    """ISO date."""
    prob: float
    """Of melanoma, calibrated."""
    threshold: float
    """The melanoma cut-off that held for it."""
    model: ModelRef
    reliable: bool
    """False: the photo is unlike the training photos; to be drawn apart, and in no line."""
    comparable: bool
    """Whether it can stand in one line with the latest reliable visit: reliable, and read by the same model."""
    over_views: tuple[float, float] | None = None
    """Lowest and highest probability over the photo's eight orientations; None: not computed."""


@dataclass(frozen=True)
class MelanomaTrend:
    """The visits of one lesion by date, the oldest first."""

    points: tuple[TrendPoint, ...]

    @property
    def line(self) -> tuple[TrendPoint, ...]:
        """The points that may be joined."""
        return tuple(point for point in self.points if point.comparable)

    @property
    def model(self) -> ModelRef | None:
        """Model whose probabilities are in ``line``; None without any."""
        return self.line[-1].model if self.line else None


def over_views(classifier: Classifier, photo: Photo) -> tuple[float, float]:
    """Lowest and highest melanoma probability over the eight orientations of a photo: how far the answer depends on the
    way the camera was held.
    """
    probs = classifier.turned_probs(photo)[:, INDEX[MELANOMA]]
    return float(probs.min()), float(probs.max())


def with_views(trend: MelanomaTrend, ranges: Mapping[int, tuple[float, float]]) -> MelanomaTrend:
    """The trend with ``over_views`` of the visits whose numbers are given."""
    return MelanomaTrend(
        tuple(replace(point, over_views=ranges.get(point.visit_id, point.over_views)) for point in trend.points)
    )


def melanoma_trend(visits: Sequence[Visit]) -> MelanomaTrend:
    """Trend of melanoma's probability over one lesion's visits, given in any order.

    Raises:
        ValueError: they are of several lesions.
    """
    if len({visit.lesion_id for visit in visits}) > 1:
        raise ValueError("A trend is of one lesion, and these visits are of several.")
    ordered = sorted(visits, key=lambda visit: (visit.taken_on, visit.id))
    latest = next((visit.prediction.model.sha256 for visit in reversed(ordered) if visit.quality.reliable), None)
    return MelanomaTrend(tuple(_point(visit, latest) for visit in ordered))


def _point(visit: Visit, latest_sha256: str | None) -> TrendPoint:
    prediction, reliable = visit.prediction, visit.quality.reliable
    return TrendPoint(
        visit_id=visit.id,
        taken_on=visit.taken_on,
        prob=prediction.melanoma_prob,
        threshold=prediction.melanoma_threshold.value,
        model=prediction.model,
        reliable=reliable,
        comparable=reliable and prediction.model.sha256 == latest_sha256,
    )
