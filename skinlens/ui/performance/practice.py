"""Practice: the clinician and the model against histology in this archive, and what the use would save or cost."""

from collections.abc import Mapping

import streamlit as st

from skinlens import published_figures
from skinlens.errors import ParameterError
from skinlens.formatting import counted, decimal, percent, span
from skinlens.impact import PARAMETERS, ImpactInputs, impact, impact_words, operating_curve, operating_points
from skinlens.outcomes import Comparison, Rate, Reader, TwoByTwo, compare
from skinlens.store import CaseStore
from skinlens.ui.components import widgets
from skinlens.ui.components.choice import chosen
from skinlens.ui.components.figures import STATIC
from skinlens.ui.components.text import plain
from skinlens.ui.forms.numbers import Expected
from skinlens.ui.performance import curves
from skinlens.ui.state import cache
from skinlens.wording.evaluation import TARGETS
from skinlens.wording.naming import capital

READERS: dict[Reader, str] = {"diagnosis": "Diagnosis", "impression": "First impression"}
BIASED = (
    "Histology is known only for excised lesions, so sensitivity comes out too high and specificity too low. The "
    "figures describe excised lesions, not all patients."
)
SHARES = ("prevalence", "sensitivity_before", "specificity_before", "sensitivity", "specificity")


# ---------------------------------------------------------------------------------------------------------- outcomes


def outcomes(store: CaseStore) -> None:
    """Clinician, model and histology: 2×2 tables with intervals, and how often both agree."""
    left, right = st.columns(2)
    question = left.segmented_control(
        "Question", list(TARGETS), default="melanoma", required=True, format_func=TARGETS.__getitem__,
        key="practice_question", persist_state="session",
    )  # fmt: skip
    reader = right.segmented_control(
        "Your answer", list(READERS), default="diagnosis", required=True, format_func=READERS.__getitem__,
        key="practice_reader", persist_state="session",
        help="Only the first impression is independent of the model: it was given before the result was shown.",
    )  # fmt: skip
    question, reader = chosen(question, "melanoma"), chosen(reader, "diagnosis")
    comparison = compare(store.outcomes(), question, reader=reader)
    rows = [
        row
        for who, table in (("You", comparison.clinician), ("The model", comparison.model))
        for row in _rows(who, table)
    ]
    left_out = _left_out(comparison)
    if rows:
        widgets.wide_table("Sensitivity and specificity", ("Who", "Figure", "Value", "95 % interval", "Lesions"), rows)
        st.caption(BIASED)
    elif not left_out:
        st.markdown("No lesion with histology is stored yet. Enter it on the page of a case, under “Histology”.")
    if left_out:
        st.caption(left_out)
    _agreement(comparison)


def _left_out(comparison: Comparison) -> str:
    """Lesions with histology that the figures of one of the two do not count, and why; empty where there are none."""
    return " ".join(
        f"Not counted for {whom}: {counted(table.unanswered, 'lesion')} with histology {why}."
        for whom, table, why in (
            ("you", comparison.clinician, "but without a clear answer"),
            ("the model", comparison.model, "but an unreliable photo"),
        )
        if table.unanswered
    )


def _rows(who: str, table: TwoByTwo) -> list[tuple[str, ...]]:
    named = (("sensitivity", table.sensitivity), ("specificity", table.specificity))
    return [(who, title, *_rate(rate)) for title, rate in named if rate is not None]


def _rate(rate: Rate) -> tuple[str, str, str]:
    low, high = rate.interval
    return percent(rate.value), span(percent(low), percent(high)), f"{rate.hits} of {rate.total}"


def _agreement(comparison: Comparison) -> None:
    agreed = comparison.agreement.observed
    kappa, interval = comparison.agreement.kappa, comparison.agreement.kappa_interval
    if agreed is None or kappa is None:
        st.markdown("You and the model: too few lesions of both kinds to say how far you agree.")
        return
    within = f" (95 % interval {span(decimal(interval[0], 2), decimal(interval[1], 2))})" if interval else ""
    st.markdown(
        plain(
            f"You and the model agree on {agreed.hits} of {counted(agreed.total, 'lesion')}: Cohen's kappa "
            f"{decimal(kappa, 2)}{within}. 1 is full agreement, 0 is chance."
        )
    )


# ------------------------------------------------------------------------------------------------------------ impact


@st.fragment
def calculator(store: CaseStore) -> None:
    """Every input visible and changeable; sentences and a chart over the cut-offs."""
    st.markdown(
        "What use for a year would save or cost, under the inputs below. Each can be changed; nothing is promised."
    )
    defaults, intervals = measured(store)
    values: dict[str, float] = {}
    unread: list[str] = []
    columns = st.columns(2, gap="large")
    for number, (name, parameter) in enumerate(PARAMETERS.items()):
        share = name in SHARES
        factor, unit = (100, "%") if share else (1, parameter.unit)
        first = float(round(defaults.get(name, parameter.default) * factor, 1))
        with columns[number % 2]:
            entered = widgets.number(
                f"{parameter.title} ({unit})",
                Expected(parameter.low * factor, parameter.high * factor),
                first,
                key=f"impact_{name}",
                help_text=f"{capital(parameter.source)}.",
            )
        if entered.value is None:
            unread.append(parameter.title)
        values[name] = (first if entered.value is None else entered.value) / factor
    if unread:
        st.warning(plain(f"Nothing is calculated until each field has a number: {', '.join(unread)}."))
        return
    untouched = {
        name: ends for name, ends in intervals.items() if abs(values[name] - defaults[name]) < 0.0006
    }  # typed over, its interval is not known
    try:
        inputs = ImpactInputs(values, {name: _around(values[name], ends) for name, ends in untouched.items()})
    except ParameterError as error:
        st.error(plain(error))
        return
    st.markdown("\n".join(f"- {plain(sentence)}" for sentence in impact_words(impact(inputs))))
    table = _thresholds()
    if table is not None:
        curve = operating_curve(inputs, operating_points(table))
        alt = "; ".join(
            f"cut-off {point.threshold:.3f}: {outcome.excisions_avoided.value:.0f} excisions avoided, "
            f"{outcome.melanomas_missed.value:.0f} melanomas below it"
            for point, outcome in curve
        )
        st.plotly_chart(curves.impact(curve), config=STATIC, key="impact_chart", alt=alt)


def _around(value: float, ends: tuple[float, float]) -> tuple[float, float]:
    """The field shows tenths: the interval still holds what it shows."""
    return min(ends[0], value), max(ends[1], value)


def measured(store: CaseStore) -> tuple[dict[str, float], dict[str, tuple[float, float]]]:
    """Inputs that are known better than a default: this clinic's minutes, and the installed model at its cut-off."""
    values: dict[str, float] = {}
    intervals: dict[str, tuple[float, float]] = {}
    times = store.work_times()
    if times.median is not None and times.quartiles is not None:  # one or two cases say nothing of the next
        values["minutes_with"], intervals["minutes_with"] = times.median, times.quartiles
    table = _thresholds()
    for point in operating_points(table) if table else ():
        if point.threshold == table["shipped"]:  # type: ignore[index]
            for name, rate in (("sensitivity", point.sensitivity), ("specificity", point.specificity)):
                values[name], intervals[name] = rate.value, (rate.low, rate.high)
    return values, intervals


def _thresholds() -> Mapping[str, object] | None:
    """The table of melanoma's cut-offs of the installed model, photos kept aside first."""
    for evaluation in published_figures.evaluations(cache.classifier().engine.model_ref).values():
        if evaluation.get("thresholds"):
            table: Mapping[str, object] = evaluation["thresholds"]["melanoma"]
            return table
    return None
