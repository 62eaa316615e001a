"""Impact calculator: what use of SkinLens would save or cost a year, in hours, excisions and money, under assumptions.

Every input is a named parameter with a default and its source; nothing is hidden, and nothing is promised: excisions
are those that would follow if the cut-off alone decided, which it must not. Intervals are carried through by their
ends, so that they are rather too wide than too narrow.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from skinlens.errors import ParameterError
from skinlens.formatting import grouped, interval
from skinlens.wording.naming import capital

WEEKS = 46
"""Of work in a year."""
_DINNES = "in-person dermoscopy, Cochrane review (Dinnes et al. 2018, CD011902)"
_YOURS = "an assumption: put your own figure in its place"


@dataclass(frozen=True)
class Parameter:
    """One input."""

    title: str
    unit: str
    default: float
    low: float
    high: float
    source: str


PARAMETERS: Mapping[str, Parameter] = {
    "lesions_per_week": Parameter("Lesions examined", f"a week, {WEEKS} weeks a year", 40, 0, 10_000, _YOURS),
    "minutes_before": Parameter("Time for a lesion without SkinLens", "min", 6, 0, 240, _YOURS),
    "minutes_with": Parameter(
        "Time for a lesion with SkinLens",
        "min",
        6,
        0,
        240,
        f"measured on your own cases where there are any; else {_YOURS}",
    ),
    "cost_per_hour": Parameter("Cost of an hour of the clinician", "in your currency", 100, 0, 10_000, _YOURS),
    "cost_per_excision": Parameter("Cost of an excision with histology", "in your currency", 200, 0, 100_000, _YOURS),
    "prevalence": Parameter(
        "Melanomas among the lesions",
        "share",
        0.074,
        0,
        1,
        f"1,737 of 23,487 lesions: {_DINNES}; less in general practice",
    ),
    "sensitivity_before": Parameter(
        "Melanomas excised today", "share", 0.92, 0, 1, f"at a specificity of 80 %: {_DINNES}"
    ),
    "specificity_before": Parameter(
        "Other lesions left in place today", "share", 0.80, 0, 1, f"the point at which sensitivity was read: {_DINNES}"
    ),
    "sensitivity": Parameter(
        "Melanomas flagged at the cut-off", "share", 0.9, 0, 1, "measured of the installed model: see Performance"
    ),
    "specificity": Parameter(
        "Other lesions below the cut-off", "share", 0.7, 0, 1, "measured of the installed model: see Performance"
    ),
}


@dataclass(frozen=True)
class Estimate:
    """A figure with the ends of its interval; both are the figure itself where nothing is known of it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class ImpactInputs:
    """Values for some of ``PARAMETERS``, defaults for the others; intervals for those that were measured.

    Raises:
        ParameterError: a name is unknown, a value or an interval's end is out of range, or an interval does not hold
            its value.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    """95 % intervals, or quartiles of measured minutes."""

    def __post_init__(self) -> None:
        for name in (*self.values, *self.intervals):
            if name not in PARAMETERS:
                raise ParameterError(f"The calculator knows {', '.join(PARAMETERS)}; found {name!r}.")
        for name, parameter in PARAMETERS.items():
            estimate = self.estimate(name)
            for value in (estimate.value, estimate.low, estimate.high):
                if not (math.isfinite(value) and parameter.low <= value <= parameter.high):
                    raise ParameterError(
                        f"{parameter.title} ({parameter.unit}): expected {parameter.low:g} to {parameter.high:g}, "
                        f"found {value}. Correct it."
                    )
            if not estimate.low <= estimate.value <= estimate.high:
                raise ParameterError(
                    f"{parameter.title}: the interval from {estimate.low:g} to {estimate.high:g} does not hold "
                    f"{estimate.value:g}. Correct one of them."
                )

    def estimate(self, name: str) -> Estimate:
        value = float(self.values.get(name, PARAMETERS[name].default))
        low, high = self.intervals.get(name, (value, value))
        return Estimate(value, float(low), float(high))


@dataclass(frozen=True)
class Impact:
    """A year; negative is a loss. ``excisions_avoided`` and ``melanomas_missed`` belong together."""

    lesions: float
    hours_saved: Estimate
    time_value: Estimate
    """Value of these hours."""
    excisions_before: float
    """Of lesions that are no melanoma."""
    excisions_avoided: Estimate
    excision_value: Estimate
    melanomas: float
    melanomas_missed_before: float
    melanomas_missed: Estimate
    """Below the cut-off."""


def impact(inputs: ImpactInputs) -> Impact:
    """Impact of the inputs."""
    at = {name: inputs.estimate(name) for name in PARAMETERS}
    lesions = Estimate(*(WEEKS * end for end in _ends(at["lesions_per_week"])))
    hours = _product(_difference(at["minutes_before"], at["minutes_with"]), _scaled(lesions, 1 / 60))
    healthy, ill = _product(lesions, _other(at["prevalence"])), _product(lesions, at["prevalence"])
    avoided = _product(healthy, _difference(at["specificity"], at["specificity_before"]))
    time_value, excision_value = _product(hours, at["cost_per_hour"]), _product(avoided, at["cost_per_excision"])
    return Impact(
        lesions=lesions.value,
        hours_saved=hours,
        time_value=time_value,
        excisions_before=healthy.value * (1 - at["specificity_before"].value),
        excisions_avoided=avoided,
        excision_value=excision_value,
        melanomas=ill.value,
        melanomas_missed_before=ill.value * (1 - at["sensitivity_before"].value),
        melanomas_missed=_product(ill, _other(at["sensitivity"])),
    )


@dataclass(frozen=True)
class OperatingPoint:
    """Rates of one cut-off, as measured."""

    threshold: float
    sensitivity: Estimate
    specificity: Estimate


def operating_points(measured: Mapping[str, object]) -> tuple[OperatingPoint, ...]:
    """Cut-offs of an evaluation (``thresholds.melanoma`` in ``weights/evaluation-*.json``), lowest first."""
    rows = measured["rows"]
    assert isinstance(rows, Sequence)
    return tuple(
        OperatingPoint(row["threshold"], Estimate(**row["sensitivity"]), Estimate(**row["specificity"]))
        for row in rows
        if None not in (*row["sensitivity"].values(), *row["specificity"].values())
    )


def operating_curve(inputs: ImpactInputs, at: Sequence[OperatingPoint]) -> tuple[tuple[OperatingPoint, Impact], ...]:
    """The impact at each cut-off: fewer excisions are bought with missed melanomas."""
    return tuple((point, impact(at_operating_point(inputs, point))) for point in at)


def at_operating_point(inputs: ImpactInputs, point: OperatingPoint) -> ImpactInputs:
    """The inputs with the sensitivity and specificity of a cut-off, and their intervals."""
    rates = {"sensitivity": point.sensitivity, "specificity": point.specificity}
    return ImpactInputs(
        {**inputs.values, **{name: rate.value for name, rate in rates.items()}},
        {**inputs.intervals, **{name: (rate.low, rate.high) for name, rate in rates.items()}},
    )


MISSED = "melanomas below the cut-off"
"""Title of ``Impact.melanomas_missed``."""


def impact_words(result: Impact) -> tuple[str, ...]:
    """The result in sentences; they say that it is arithmetic on the inputs."""
    hours = _saved(result.hours_saved, "{amount} hours a year {side}", "less")
    excisions = _saved(result.excisions_avoided, "{amount} {side} a year", "fewer")
    time_money = _money(result.hours_saved, result.time_value)
    excision_money = _money(result.excisions_avoided, result.excision_value)
    return (
        f"Time, under these inputs: {hours} for {grouped(result.lesions)} lesions{time_money}.",
        "Excisions of lesions that are no melanoma, if the cut-off alone decided: "
        f"{excisions} ({grouped(result.excisions_before)} today){excision_money}.",
        f"{capital(MISSED)}: {_amount(result.melanomas_missed, turned=False)} of {grouped(result.melanomas)} a year "
        f"({grouped(result.melanomas_missed_before)} missed today). No sum of money stands for them.",
        "This is arithmetic on the inputs, no forecast: the cut-off must never decide alone.",
    )


def _saved(saving: Estimate, form: str, less: str) -> str:
    """A saving, as "{amount} hours a year {side}" has its form, or a loss; neither where it rounds to nothing."""
    if grouped(abs(saving.value)) != "0":
        lost = saving.value < 0
        return form.format(amount=_amount(saving, turned=lost), side="more" if lost else less)
    more, fewer = grouped(-saving.low), grouped(saving.high)
    if (more, fewer) == ("0", "0"):
        return "no change"
    return f"no change on average (from {form.format(amount=more, side='more')} to {fewer} {less})"


def _money(saving: Estimate, value: Estimate) -> str:
    """Worth of a saving, or cost of a loss, in the currency of the inputs; nothing where either rounds to nothing."""
    if "0" in {grouped(abs(saving.value)), grouped(abs(value.value))}:
        return ""
    lost = value.value < 0
    amount = _amount(value, turned=lost)
    return f", at a cost of {amount} in your currency" if lost else f", worth {amount} in your currency"


def _amount(estimate: Estimate, *, turned: bool) -> str:
    """The interval beside the value; counted the other way where the words say "more" of a loss."""
    value, low, high = (-estimate.value, -estimate.high, -estimate.low) if turned else _ends(estimate)
    said, *ends = (grouped(amount) for amount in (value, low, high))
    return interval(said, *ends) if ends[0] != ends[1] else said


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    return Estimate(estimate.value * factor, estimate.low * factor, estimate.high * factor)


def _other(share: Estimate) -> Estimate:
    """1 - share."""
    return Estimate(1 - share.value, 1 - share.high, 1 - share.low)


def _difference(left: Estimate, right: Estimate) -> Estimate:
    return Estimate(left.value - right.value, left.low - right.high, left.high - right.low)


def _product(left: Estimate, right: Estimate) -> Estimate:
    ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
    return Estimate(left.value * right.value, min(ends), max(ends))
