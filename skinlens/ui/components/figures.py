"""Charts of the model's measured figures, for the page about the model."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from skinlens.formatting import grouped
from skinlens.labels import BY_CODE
from skinlens.ui.components.theme import BLUE, ORANGE, YELLOW, error_bar
from skinlens.wording.naming import name

STATIC = {"displayModeBar": False, "scrollZoom": False}
"""Streamlit's ``config`` of every chart: no tools over it, and the page scrolls over it."""
RISK_COLORS = {"malignant": ORANGE, "pre-malignant": YELLOW, "benign": BLUE}
RISK_SYMBOLS = {"malignant": "triangle-up", "pre-malignant": "diamond", "benign": "circle"}


def recall_chart(measured: Mapping[str, Any]) -> go.Figure:
    """Recall of each class, with its 95 % interval; the marker's color and shape show the risk."""
    figure = go.Figure()
    codes = [code for code in measured["labels"] if measured["per_class"][code]["recall"]["value"] is not None]
    codes.sort(key=lambda code: measured["per_class"][code]["recall"]["value"])
    for risk, color in RISK_COLORS.items():
        own = [code for code in codes if BY_CODE[code].risk == risk]
        recalls = [measured["per_class"][code]["recall"] for code in own]
        figure.add_scatter(
            x=[recall["value"] for recall in recalls],
            y=[short(code, measured["per_class"][code]["n"]) for code in own],
            error_x=error_bar(recalls),
            mode="markers",
            name=risk,
            marker={"color": color, "symbol": RISK_SYMBOLS[risk], "size": 12},
            hovertemplate="%{y}: %{x:.3f}<extra></extra>",
        )
    figure.update_yaxes(
        categoryorder="array", categoryarray=[short(code, measured["per_class"][code]["n"]) for code in codes]
    )
    figure.update_xaxes(range=[-0.02, 1.02], title="sensitivity", fixedrange=True)
    return calm(figure, 420)


def confusion_chart(measured: Mapping[str, Any]) -> go.Figure:
    """Confusion matrix, normalized by row: rows are the true class, columns the most probable one."""
    codes = list(measured["labels"])
    counts = measured["confusion"]
    shares = [[count / max(sum(row), 1) for count in row] for row in counts]
    figure = go.Figure(
        go.Heatmap(
            z=shares,
            x=codes,
            y=[short(code) for code in codes],
            text=[[str(count) for count in row] for row in counts],
            texttemplate="%{text}",
            textfont={"color": "#14222b"},
            colorscale=[[0, "#eef3f8"], [1, "#6fa8d6"]],  # on each of them the numbers have a contrast of 6 : 1 or more
            zmin=0,
            zmax=1,
            showscale=False,
            xgap=2,
            ygap=2,
            hovertemplate="read as %{x}: %{text} photos<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed", fixedrange=True)
    figure.update_xaxes(title="most probable to the model", side="bottom", fixedrange=True)
    return calm(figure, 460)


def short(code: str, count: int | None = None) -> str:
    """A name of a few words on two lines, so that the chart keeps its room on a narrow screen."""
    words = name(code).replace(" / intraepithelial carcinoma", "").replace("-like lesion", "").replace(" ", "<br>", 1)
    return words if count is None else f"{words} ({grouped(count)})"


def calm(figure: go.Figure, height_px: int) -> go.Figure:
    """The look that all charts share: readable letters, the legend above, nothing that moves under a finger."""
    named = sum(bool(trace.name) and trace.showlegend is not False for trace in figure.data)
    figure.update_layout(
        height=height_px,
        margin={"l": 8, "r": 16, "t": 40 if named > 1 else 8, "b": 8},  # the legend's line, also on a phone
        font={"size": 15},
        legend={"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0, "font": {"size": 15}},
        dragmode=False,
        barmode="overlay",
    )
    figure.update_yaxes(automargin=True, fixedrange=True, tickfont={"size": 15})
    figure.update_xaxes(automargin=True, tickfont={"size": 15}, title={"font": {"size": 15}})
    return figure
