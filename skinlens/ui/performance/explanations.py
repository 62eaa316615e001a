"""Sanity of the explanation methods on this model: charts for the page about it, and a word beside each map."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
import streamlit as st

from skinlens import published_figures
from skinlens.checks.agreement import HOTTEST_PART
from skinlens.explain import METHODS
from skinlens.explain.methods import MethodInfo
from skinlens.formatting import decimal, rounded_percent
from skinlens.records import Method, ModelRef
from skinlens.ui.components import figures, widgets
from skinlens.ui.components.theme import GRAY, error_bar
from skinlens.ui.state import cache
from skinlens.wording.naming import name

LOOKS = {"grad_cam": ("#0072b2", "circle"), "score_cam": ("#d55e00", "square"), "lime": ("#009e73", "diamond")}
"""Color (Okabe and Ito's, for any color vision) and sign of each method."""
TESTS = {
    "faithful": (
        "The model follows the maps of all three methods.",
        "the model follows its maps no better than random ones",
    ),
    "focused": (
        "The maps of all three methods look at the lesion.",
        "its maps look at the lesion no more than at the skin around it",
    ),
    "learned": (
        "The maps of all three methods depend on what was learned.",
        "its maps look much the same on a network that has learned nothing",
    ),
    "quantized": (
        "The int8 form draws the same maps with all three methods.",
        "its maps differ from those of the float form of the model",
    ),
}
"""Test → what to conclude if all methods pass it, and what is said of one that fails."""


def measured() -> Mapping[str, Any] | None:
    """Measurements of the installed model; None if nothing was, or only of another."""
    evaluation, model = published_figures.explanations_evaluation(), cache.installed()
    if not evaluation or not model or evaluation["model"]["sha256"] != model.engine.model_ref.sha256:
        return None
    return evaluation


def remarks(method: Method, model: ModelRef) -> tuple[str, ...]:
    """One sentence for each test that a method fails on the model that a map is of; none where it was not tested."""
    evaluation = published_figures.explanations_evaluation()
    if not evaluation or evaluation["model"]["sha256"] != model.sha256:
        return ()
    verdicts = evaluation["methods"].get(method, {"verdicts": {}})["verdicts"]
    return tuple(f"Caution: {failure}." for key, (_, failure) in TESTS.items() if verdicts.get(key) is False)


def section() -> None:
    """The four tests, each with what the reader may conclude of it."""
    evaluation = measured()
    if evaluation is None:
        st.info("The explanation methods were not tested on this model yet: no such measurement is stored with it.")
        return
    st.markdown(
        f"Tested on {evaluation['n']} validation photos, drawn evenly from the seven kinds of lesion, each explained "
        "for the class that the model puts first. Lines in the charts: the range in which the figure would lie in "
        "95 of 100 such samples."
    )
    for title, draw in (
        ("Faithfulness", _followed),
        ("Localization", _looked),
        ("Model randomization", _learned),
        ("Agreement of the methods, and of the int8 form with the float form", _agreed),
    ):
        st.header(title)
        draw(evaluation)


def _followed(evaluation: Mapping[str, Any]) -> None:
    st.plotly_chart(
        _dots(evaluation, "gain_over_random", "gain over random maps, in probability"),
        config=figures.STATIC,
        key="followed",
        alt="Gain over random maps: " + _spoken(evaluation, "gain_over_random"),
    )
    st.caption(
        "Two tests in one figure. The hottest parts of the photo are blurred first (deletion: the probability should "
        "fall early), and in a blurred photo they become sharp first (insertion: it should rise early). The gain is "
        "the area under the second curve less that under the first, beside the same of random maps. Right of "
        f"zero: the model follows the map better than chance. {_conclusion(evaluation, 'faithful')}"
    )


def _looked(evaluation: Mapping[str, Any]) -> None:
    st.plotly_chart(
        _inside(evaluation),
        config=figures.STATIC,
        key="looked",
        alt="Share of the heat inside the lesion: " + _spoken(evaluation, "relevance_mass"),
    )
    st.caption(
        "Outlines drawn by hand. The gray mark is the share of the picture that the lesion takes up: a map that "
        f"looks at nothing in particular has that much of its heat inside. {_conclusion(evaluation, 'focused')} "
        "Looking at the lesion does not mean reading it correctly."
    )
    shown = [code for code in evaluation["classes"] if evaluation["classes"][code]]
    widgets.wide_table(
        "Heat inside the lesion, by kind of lesion",
        (
            "Kind of lesion",
            "Photos",
            *(f"{info.title}: heat inside, hottest point inside" for info in _tested(evaluation).values()),
        ),
        [
            (
                name(code),
                str(evaluation["classes"][code]),
                *(_per_class(evaluation["methods"][method]["per_class"][code]) for method in _tested(evaluation)),
            )
            for code in shown
        ],
    )
    st.caption("Of each method: the share of its heat inside the lesion, and of photos whose hottest point is inside.")


def _learned(evaluation: Mapping[str, Any]) -> None:
    st.plotly_chart(
        _model_randomization(evaluation),
        config=figures.STATIC,
        key="learned",
        alt="Likeness to the maps of randomized networks: "
        + "; ".join(
            f"{info.title} "
            + ", ".join(
                decimal(step["spearman_median"], 2) for step in evaluation["methods"][method]["model_randomization"]
            )
            for method, info in _tested(evaluation).items()
        ),
    )
    st.caption(
        "Layers of the network are replaced by random ones, from the output towards the photo, and the maps are made "
        "again. 1 is the same map, 0 an unrelated one. A map that stays the same shows edges and dark places of the "
        f"photo, not what was learned. {_conclusion(evaluation, 'learned')}"
    )


def _agreed(evaluation: Mapping[str, Any]) -> None:
    widgets.wide_table(
        "Agreement of the methods",
        ("Maps", "Same order of heat", f"{HOTTEST_PART.capitalize()} shared"),
        [
            (
                " and ".join(METHODS[method].title for method in pair["methods"]),
                decimal(pair["spearman"]["value"], 2),
                rounded_percent(pair["hottest_iou"]["value"]),
            )
            for pair in evaluation["agreement"]
        ],
    )
    widgets.wide_table(
        "Agreement of the int8 form with the float form",
        ("Map", "Like that of the float form", "Least like, of all photos"),
        [
            (info.title, decimal(agreement["spearman_median"]), decimal(agreement["spearman_worst"]))
            for method, info in _tested(evaluation).items()
            if (agreement := evaluation["methods"][method]["float"])
        ],
    )
    st.caption(
        "The same order of heat, and likeness: 1 the same order from cold to hot, 0 unrelated. Grad-CAM and Score-CAM "
        "read the same inner maps of the network. Methods that agree find the same place; it need not be the right "
        f"one. {_conclusion(evaluation, 'quantized')}"
    )


def _tested(evaluation: Mapping[str, Any]) -> dict[Method, MethodInfo]:
    """Methods that were measured: one that was added since then is missing until it is."""
    return {method: info for method, info in METHODS.items() if method in evaluation["methods"]}


def _conclusion(evaluation: Mapping[str, Any], test: str) -> str:
    """Conclusion of one test; methods that fail it, or were not put to it, are named."""
    passed, failure = TESTS[test]
    states = {
        info.title: evaluation["methods"][method]["verdicts"][test] for method, info in _tested(evaluation).items()
    }
    failed = [title for title, state in states.items() if state is False]
    missing = [info.title for info in METHODS.values() if info.title not in states]
    untested = f" Not tested yet: {', '.join(missing)}." if missing else ""
    if failed:
        return " ".join(f"{title} fails: {failure}." for title in failed) + untested
    everything = all(states.values()) and not missing
    return (passed if everything else "What could be measured passes.") + untested


def _dots(evaluation: Mapping[str, Any], figure: str, title: str) -> go.Figure:
    chart = go.Figure()
    for method, info in _tested(evaluation).items():
        _point(chart, info.title, evaluation["methods"][method][figure], method)
    chart.add_vline(x=0, line={"color": GRAY, "dash": "dash"})
    chart.update_yaxes(autorange="reversed")
    return _calm(chart, title, 210)


def _inside(evaluation: Mapping[str, Any]) -> go.Figure:
    chart = go.Figure()
    for method, info in _tested(evaluation).items():
        figures = evaluation["methods"][method]
        _point(chart, info.title, figures["relevance_mass"], method)
        if figures["area"]["value"] is not None:
            marker = {"symbol": "line-ns-open", "size": 26, "color": GRAY, "line": {"width": 3}}
            chart.add_scatter(
                x=[figures["area"]["value"]],
                y=[info.title],
                mode="markers",
                marker=marker,
                hovertemplate="the lesion takes up %{x:.0%}<extra></extra>",
            )
    chart.update_xaxes(range=[0, 1], tickformat=".0%")
    chart.update_yaxes(autorange="reversed")
    return _calm(chart, "share of the heat inside the lesion", 210)


def _point(chart: go.Figure, title: str, figure: Mapping[str, float | None], method: str) -> None:
    if None in (figure["value"], figure["low"], figure["high"]):
        return
    color, symbol = LOOKS[method]
    chart.add_scatter(
        x=[figure["value"]],
        y=[title],
        mode="markers",
        marker={"color": color, "symbol": symbol, "size": 13},
        error_x=error_bar([figure], color),
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )


def _model_randomization(evaluation: Mapping[str, Any]) -> go.Figure:
    chart = go.Figure()
    stages = ["nothing", *evaluation["networks"]["stages"]]
    for method, info in _tested(evaluation).items():
        color, symbol = LOOKS[method]
        measured_steps = evaluation["methods"][method]["model_randomization"]
        steps = [{"value": 1.0, "low": 1.0, "high": 1.0}] + [
            {"value": step["spearman_median"], "low": step["quarter"], "high": step["three_quarters"]}
            for step in measured_steps
        ]
        chart.add_scatter(
            x=stages,
            y=[step["value"] for step in steps],
            name=info.title,
            mode="lines+markers",
            line={"color": color},
            marker={"symbol": symbol, "size": 12},
            error_y=error_bar(steps, color),
            hovertemplate="%{x}: %{y:.2f}<extra>" + info.title + "</extra>",
        )
    chart.update_yaxes(range=[-0.6, 1.05], title="likeness", zeroline=True)
    chart.update_layout(showlegend=True)
    return _calm(chart, "randomized", 380)


def _calm(chart: go.Figure, title: str, height_px: int) -> go.Figure:
    figures.calm(chart, height_px).update_layout(showlegend=bool(chart.layout.showlegend))
    return chart.update_xaxes(title=title, fixedrange=True)


def _spoken(evaluation: Mapping[str, Any], figure: str) -> str:
    return ", ".join(
        f"{info.title} {decimal(evaluation['methods'][method][figure]['value'], 2)}"
        for method, info in _tested(evaluation).items()
    )


def _per_class(figures: Mapping[str, Any]) -> str:
    return f"{rounded_percent(figures['relevance_mass'])}, {rounded_percent(figures['pointing_game'])}"
