"""Outcome statistics: the clinician and the model against histology, and against each other, in one clinic's cases.

Each lesion counts once, with its latest visit that has the answer: visits of one lesion are not independent. Where the
clinician excises what looks suspicious, histology is known of those lesions alone, so sensitivity comes out too high
and specificity too low (verification bias): these are figures of the excised lesions, not of all patients.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from skinlens.labels import BY_CODE, MELANOMA, OTHER

Question = Literal["melanoma", "malignant"]
"""Melanoma or not; malignant or pre-malignant (mel, bcc, akiec) or not."""
Reader = Literal["diagnosis", "impression"]
"""What the clinician decided at last, or said before the model's result was shown: that alone is independent of it."""

Z = 1.959963984540054
"""Of the normal distribution, for two-sided 95 %."""


@dataclass(frozen=True)
class Outcome:
    """Outcome of one visit: by the clinician, by the model, and by the pathologist."""

    visit_id: int
    lesion_id: int
    taken_on: str
    """ISO date."""
    impression: str | None
    """One of ``labels.IMPRESSIONS``."""
    diagnosis: str | None
    """One of ``labels.DIAGNOSES``, as is the histology."""
    model_label: str
    """The most probable class."""
    flagged: bool
    """Melanoma at or above its cut-off."""
    reliable: bool
    """As ``QualityReport.reliable``: of another photo the model says nothing."""
    histology: str | None


@dataclass(frozen=True)
class Rate:
    """A proportion: hits of a total, with the 95 % interval of Wilson (J Am Stat Assoc 22, 1927)."""

    hits: int
    total: int
    """At least 1."""

    @property
    def value(self) -> float:
        return self.hits / self.total

    @property
    def interval(self) -> tuple[float, float]:
        shrink = 1 + Z**2 / self.total
        middle = (self.value + Z**2 / (2 * self.total)) / shrink
        spread = self.value * (1 - self.value) / self.total + Z**2 / (4 * self.total**2)
        half = Z * math.sqrt(spread) / shrink
        low = 0.0 if self.hits == 0 else middle - half
        return low, 1.0 if self.hits == self.total else middle + half


@dataclass(frozen=True)
class TwoByTwo:
    """Answers against histology, a lesion each."""

    true_positive: int
    false_positive: int
    false_negative: int
    true_negative: int
    unanswered: int
    """Lesions with histology of which nothing was said: no diagnosis, "not sure", an unreliable photo."""

    @property
    def sensitivity(self) -> Rate | None:
        """None where histology found none."""
        return _rate(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> Rate | None:
        return _rate(self.true_negative, self.true_negative + self.false_positive)


@dataclass(frozen=True)
class Agreement:
    """Clinician and model on the same lesions, whatever histology says or whether there is one."""

    both: int
    clinician_alone: int
    """The clinician said yes, the model no."""
    model_alone: int
    neither: int

    @property
    def total(self) -> int:
        return self.both + self.clinician_alone + self.model_alone + self.neither

    @property
    def observed(self) -> Rate | None:
        """The share of lesions on which they agree."""
        return _rate(self.both + self.neither, self.total)

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa (Educ Psychol Meas 20, 1960); None where chance alone makes them agree always."""
        if not self.total or self._by_chance == 1:
            return None
        observed = (self.both + self.neither) / self.total
        return (observed - self._by_chance) / (1 - self._by_chance)

    @property
    def kappa_interval(self) -> tuple[float, float] | None:
        """95 % interval of kappa, by the standard error of Fleiss, Cohen and Everitt for large samples (Psychol Bull
        72, 1969).

        A rough one below some 30 lesions; None where kappa is none.
        """
        kappa = self.kappa
        if kappa is None:
            return None
        rows, columns, chance = self._clinician, self._model, self._by_chance
        cells = [[share / self.total for share in row] for row in self._cells]
        level = sum(cells[i][i] * (1 - (rows[i] + columns[i]) * (1 - kappa)) ** 2 for i in (0, 1))
        apart = (1 - kappa) ** 2 * sum(cells[i][1 - i] * (columns[i] + rows[1 - i]) ** 2 for i in (0, 1))
        variance = level + apart - (kappa - chance * (1 - kappa)) ** 2
        half = Z * math.sqrt(max(0.0, variance) / self.total) / (1 - chance)
        return max(-1.0, kappa - half), min(1.0, kappa + half)

    @property
    def _cells(self) -> tuple[tuple[int, int], tuple[int, int]]:
        return (self.both, self.clinician_alone), (self.model_alone, self.neither)

    @property
    def _clinician(self) -> tuple[float, float]:
        yes = (self.both + self.clinician_alone) / self.total
        return yes, 1 - yes

    @property
    def _model(self) -> tuple[float, float]:
        yes = (self.both + self.model_alone) / self.total
        return yes, 1 - yes

    @property
    def _by_chance(self) -> float:
        return sum(row * column for row, column in zip(self._clinician, self._model, strict=True))


@dataclass(frozen=True)
class Comparison:
    """Comparison of clinician, model and histology."""

    question: Question
    reader: Reader
    clinician: TwoByTwo
    model: TwoByTwo
    agreement: Agreement


def compare(outcomes: Sequence[Outcome], question: Question, reader: Reader = "diagnosis") -> Comparison:
    """The two tables against histology, and the agreement of clinician and model."""
    proven = _latest_of_lesions(outcome for outcome in outcomes if outcome.histology is not None)
    clear = [outcome for outcome in proven if _is(outcome.histology, question) is not None]
    answered = _latest_of_lesions(
        outcome
        for outcome in outcomes
        if None not in (clinician_says(outcome, question, reader), model_says(outcome, question))
    )
    pairs = [(clinician_says(outcome, question, reader), model_says(outcome, question)) for outcome in answered]
    both, clinician_alone, model_alone, neither = (pairs.count(pair) for pair in _PAIRS)
    return Comparison(
        question,
        reader,
        clinician=_table(clear, question, lambda outcome: clinician_says(outcome, question, reader)),
        model=_table(clear, question, lambda outcome: model_says(outcome, question)),
        agreement=Agreement(both, clinician_alone, model_alone, neither),
    )


def clinician_says(outcome: Outcome, question: Question, reader: Reader) -> bool | None:
    """None: nothing, "not sure", or an "other" that does not answer the question."""
    return _is(outcome.diagnosis if reader == "diagnosis" else outcome.impression, question)


def model_says(outcome: Outcome, question: Question) -> bool | None:
    """Melanoma: whether it is flagged. Malignant: flagged, or the most probable class is one. None: unreliable."""
    if not outcome.reliable:
        return None
    if question == "melanoma":
        return outcome.flagged
    return outcome.flagged or bool(_is(outcome.model_label, question))


_PAIRS = ((True, True), (True, False), (False, True), (False, False))


def _is(code: str | None, question: Question) -> bool | None:
    if question == "melanoma":
        return code == MELANOMA if code in {*BY_CODE, OTHER} else None
    return BY_CODE[code].risk != "benign" if code in BY_CODE else None


def _latest_of_lesions(outcomes: Iterable[Outcome]) -> list[Outcome]:
    latest: dict[int, Outcome] = {}
    for outcome in sorted(outcomes, key=lambda outcome: (outcome.taken_on, outcome.visit_id)):
        latest[outcome.lesion_id] = outcome
    return list(latest.values())


def _table(outcomes: Sequence[Outcome], question: Question, says: Callable[[Outcome], bool | None]) -> TwoByTwo:
    pairs = [(says(outcome), _is(outcome.histology, question)) for outcome in outcomes]
    true_positive, false_positive, false_negative, true_negative = (pairs.count(pair) for pair in _PAIRS)
    unanswered = sum(answer is None for answer, _ in pairs)
    return TwoByTwo(true_positive, false_positive, false_negative, true_negative, unanswered)


def _rate(hits: int, total: int) -> Rate | None:
    return Rate(hits, total) if total else None
