"""Charts of what stands behind the figures: reliability, cut-offs, parts of the photos, sets, foreign pictures."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from skinlens.formatting import grouped, rounded_percent
from skinlens.impact import MISSED, Impact, OperatingPoint
from skinlens.ui.components.figures import calm, short
from skinlens.ui.components.theme import BLUE, GRAY, ORANGE, error_bar

FAINT = "rgba(66, 137, 184, 0.18)"
CUT_OFF_TICKS = (0.01, 0.03, 0.1, 0.3, 0.9)
Entry = Mapping[str, Any]
"""One row of a measurement, as it was written."""


def reliability(bins: Sequence[Entry]) -> go.Figure:
    """Reliability diagram of stated against observed frequency; on the dashed line both are the same."""
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", line={"dash": "dash", "color": GRAY}, name="as stated", hoverinfo="skip"
    )
    figure.add_scatter(
        x=[entry["stated"] for entry in bins],
        y=[entry["happened"]["value"] for entry in bins],
        error_y=error_bar([entry["happened"] for entry in bins]),
        mode="markers",
        marker={"color": BLUE, "size": [_dot(entry["n"]) for entry in bins]},
        customdata=[entry["n"] for entry in bins],
        name="photos (larger: more of them)",
        hovertemplate="stated %{x:.2f}, observed %{y:.2f}, %{customdata:,} photos<extra></extra>",
    )
    figure.update_xaxes(range=[-0.03, 1.03], title="stated probability", fixedrange=True)
    figure.update_yaxes(range=[-0.03, 1.03], title="observed share")
    return calm(figure, 400)


def threshold_curve(table: Entry) -> go.Figure:
    """Sensitivity and specificity over the cut-offs, which lie on a logarithmic scale."""
    figure = go.Figure()
    rows = table["rows"]
    for key, color, dash, symbol in (
        ("sensitivity", ORANGE, "solid", "circle"),
        ("specificity", BLUE, "dot", "square"),
    ):
        figure.add_scatter(
            x=[row["threshold"] for row in rows],
            y=[row[key]["value"] for row in rows],
            error_y=error_bar([row[key] for row in rows]),
            mode="lines+markers",
            line={"color": color, "dash": dash},
            marker={"symbol": symbol, "size": 8},
            name=key,
            hovertemplate="%{fullData.name} %{y:.3f} at %{x:.3f}<extra></extra>",
        )
    if table["shipped"] is not None:
        line = {"dash": "dash", "color": GRAY}
        figure.add_scatter(x=[table["shipped"]] * 2, y=[0, 1], mode="lines", line=line, name="in use", hoverinfo="skip")
    _over_thresholds(figure, "cut-off on the probability")
    figure.update_yaxes(range=[0, 1.03])
    return calm(figure, 400)


def _over_thresholds(figure: go.Figure, title: str) -> None:
    figure.update_xaxes(
        type="log",
        title=title,
        tickvals=CUT_OFF_TICKS,
        ticktext=[rounded_percent(tick) for tick in CUT_OFF_TICKS],
        fixedrange=True,
    )


def impact(curve: Sequence[tuple[OperatingPoint, Impact]]) -> go.Figure:
    """Excisions avoided in a year over the cut-offs, and the melanomas below the cut-off that they are bought with."""
    figure = go.Figure()
    at = [point.threshold for point, _ in curve]
    for title, color, dash, symbol, estimates in (
        ("excisions avoided", BLUE, "dot", "square", [outcome.excisions_avoided for _, outcome in curve]),
        (MISSED, ORANGE, "solid", "circle", [outcome.melanomas_missed for _, outcome in curve]),
    ):
        figure.add_scatter(
            x=at,
            y=[estimate.value for estimate in estimates],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [estimate.high - estimate.value for estimate in estimates],
                "arrayminus": [estimate.value - estimate.low for estimate in estimates],
                "thickness": 1,
            },
            mode="lines+markers",
            line={"color": color, "dash": dash},
            marker={"symbol": symbol, "size": 8},
            name=title,
            hovertemplate=f"{title}: %{{y:,.0f}} a year at %{{x:.3f}}<extra></extra>",
        )
    _over_thresholds(figure, "cut-off on the probability of melanoma")
    figure.update_yaxes(title="lesions a year")
    return calm(figure, 360)


def dots(
    names: Sequence[str], figures: Sequence[Mapping[str, float | None]], title: str, goal: float | None
) -> go.Figure:
    """One figure for each name, from the top down, with its 95 % range; a dashed line at ``goal``."""
    shown = [(name, entry) for name, entry in zip(names, figures, strict=True) if entry["value"] is not None]
    figure = go.Figure()
    figure.add_scatter(
        x=[entry["value"] for _, entry in shown],
        y=[name for name, _ in shown],
        error_x=error_bar([entry for _, entry in shown]),
        mode="markers",
        marker={"color": BLUE, "size": 11},
        showlegend=False,
        hovertemplate="%{y}: %{x:.3f}<extra></extra>",
    )
    if goal is not None:
        figure.add_vline(x=goal, line={"dash": "dash", "color": GRAY})
    figure.update_xaxes(range=_tenths([entry for _, entry in shown], goal), title=title, fixedrange=True)
    figure.update_yaxes(categoryorder="array", categoryarray=[name for name, _ in shown][::-1])
    lines = max((name.count("<br>") + 1 for name, _ in shown), default=1)
    return calm(figure, 120 + max(42, 18 * lines + 18) * len(shown))


def risk_coverage(measured: Entry) -> go.Figure:
    """The share of errors among the surest photos, over how many of them are answered."""
    points = measured["points"]
    answered = [point["coverage"] for point in points]
    figure = go.Figure()
    figure.add_scatter(
        x=[*answered, *answered[::-1]],
        y=[*(point["risk"]["high"] for point in points), *(point["risk"]["low"] for point in points[::-1])],
        fill="toself",
        fillcolor=FAINT,
        line={"width": 0},
        name="95 % range",
        hoverinfo="skip",
    )
    figure.add_scatter(
        x=answered,
        y=[point["risk"]["value"] for point in points],
        mode="lines+markers",
        line={"color": BLUE},
        name="wrong among those answered",
        hovertemplate="%{x:.0%} answered: %{y:.1%} wrong<extra></extra>",
    )
    figure.update_xaxes(range=[0, 1.02], title="share of the photos answered, the surest first", tickformat=".0%")
    figure.update_yaxes(rangemode="tozero", tickformat=".0%")
    return calm(figure, 380)


def set_coverage(sets: Entry) -> go.Figure:
    """Coverage of each class: how often its set holds the diagnosis; dashed: what was promised."""
    codes = list(sets["per_class"])
    entries = [sets["per_class"][code] for code in codes]
    names = [short(code, entry["n"]) for code, entry in zip(codes, entries, strict=True)]
    return dots(names, [entry["coverage"] for entry in entries], "share with the diagnosis", sets["level"])


def set_sizes(sets: Entry) -> go.Figure:
    """Number of photos by the size of their set."""
    counts = sets["sizes"]
    figure = go.Figure(
        go.Bar(
            x=[str(size) for size in range(1, len(counts) + 1)],
            y=[count / max(sum(counts), 1) for count in counts],
            marker={"color": BLUE},
            customdata=counts,
            hovertemplate="%{x} classes: %{customdata:,} photos<extra></extra>",
        )
    )
    figure.update_xaxes(title="classes in the set", type="category", fixedrange=True)
    figure.update_yaxes(tickformat=".0%", rangemode="tozero")
    return calm(figure, 320)


def refused(kinds: Sequence[Entry]) -> go.Figure:
    """Share of each kind of picture that is flagged as unlike the training photos."""
    names = [f"{kind['kind'].capitalize()} ({grouped(kind['n'])})" for kind in kinds]
    figure = go.Figure(
        go.Bar(
            x=[kind["rejection_rate"] for kind in kinds],
            y=names,
            orientation="h",
            marker={"color": BLUE},
            hovertemplate="%{y}: %{x:.1%}<extra></extra>",
        )
    )
    figure.update_xaxes(range=[0, 1.02], title="share that is flagged", tickformat=".0%", fixedrange=True)
    figure.update_yaxes(categoryorder="array", categoryarray=names[::-1])
    return calm(figure, 100 + 42 * len(names))


def _tenths(figures: Sequence[Mapping[str, float | None]], goal: float | None) -> list[float]:
    """From the tenth below all ranges to the one above: a dot means its place on the axis, not its distance from 0."""
    ends = [end for entry in figures for end in (entry["low"], entry["high"], goal) if end is not None]
    if not ends:
        return [0, 1]
    return [math.floor(10 * min(ends)) / 10 - 0.01, math.ceil(10 * max(ends)) / 10 + 0.02]


def _dot(count: int) -> float:
    """In px: the area grows with the photos, up to 500."""
    return 6 + 14 * math.sqrt(min(count, 500) / 500)
