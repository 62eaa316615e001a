"""Artifact sensitivity on the visit's page: ink, a ruler, hair, dark corners, gel bubbles. On request."""

import io
from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import plotly.graph_objects as go
import streamlit as st
from PIL import Image

from skinlens.checks.contract import Check
from skinlens.formatting import percent, points
from skinlens.imaging.artifacts import RENDERER_VERSION, TITLES, Artifact, with_artifact
from skinlens.imaging.preprocess import InputSpec
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Photo
from skinlens.ui.components.figures import STATIC
from skinlens.ui.components.text import plain
from skinlens.ui.state import session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import checks

SHOWN_PX = 500
RISE, FALL = "#c9552b", "#4289b8"


def section(check: Check, opened: OpenCase, classifier: Classifier | None) -> None:
    checks.section(check, opened, classifier, _show)


def _show(check: Check, opened: OpenCase, results: Sequence[CheckResult]) -> None:
    result = results[-1]
    st.markdown(plain(check.summary(result)))
    st.plotly_chart(chart(result), config=STATIC, key="artefacts_chart", alt=_spoken(result))
    st.caption(
        f"Change of the probability of melanoma, which is {percent(result.figures['prob'])} on the photo as it is; "
        f"mean of {result.settings['draws']} drawings, and from the smallest to the largest change."
    )
    checks.provenance([result])
    drawn_alike = result.settings.get("drawing") == RENDERER_VERSION
    if drawn_alike and st.toggle("Show the pictures that were tried", key="case_artefact_pictures"):
        classifier = session.classifier_of(opened)
        _pictures(opened.analysis.photo, result, classifier.engine.spec if classifier else InputSpec())


def _spoken(check: CheckResult) -> str:
    parts = [f"{TITLES[effect['artifact']]} {points(effect['change'])}" for effect in check.figures["effects"]]
    return "Mean change of the probability of melanoma: " + ", ".join(parts)


def chart(check: CheckResult) -> go.Figure:
    """A bar for each artefact, in percentage points; rises and falls differ in side, color and pattern."""
    before: float = check.figures["prob"]
    effects: Sequence[Mapping[str, Any]] = check.figures["effects"]
    means = [100 * effect["change"] for effect in effects]
    lows = [100 * (min(effect["probs"]) - before) for effect in effects]
    highs = [100 * (max(effect["probs"]) - before) for effect in effects]
    figure = go.Figure(
        go.Bar(
            y=[TITLES[effect["artifact"]] for effect in effects],
            x=means,
            orientation="h",
            marker={
                "color": [RISE if mean > 0 else FALL for mean in means],
                "pattern": {"shape": ["" if mean > 0 else "/" for mean in means], "fillmode": "overlay", "size": 7},
            },
            error_x={
                "type": "data",
                "symmetric": False,
                "array": np.subtract(highs, means),
                "arrayminus": np.subtract(means, lows),
                "thickness": 1.5,
                "color": "#7f8d92",  # seen on light and on dark
            },
            hovertemplate="%{y}: %{x:+.1f} points<extra></extra>",
        )
    )
    reach = max(2.0, *(abs(value) for value in (*lows, *highs))) * 1.15
    figure.update_layout(height=290, margin={"l": 8, "r": 16, "t": 8, "b": 8}, font={"size": 15}, dragmode=False)
    figure.update_yaxes(autorange="reversed", automargin=True, fixedrange=True, tickfont={"size": 15})
    figure.update_xaxes(
        range=[-reach, reach],
        title={"text": "percentage points, rise to the right", "font": {"size": 15}},
        zeroline=True,
        zerolinewidth=2,
        zerolinecolor="#7f8d92",
        fixedrange=True,
        automargin=True,
    )
    return figure


def _pictures(photo: Photo, check: CheckResult, spec: InputSpec) -> None:
    effects = {effect["artifact"]: effect["probs"] for effect in check.figures["effects"]}
    chosen = st.selectbox("What is drawn", list(effects), format_func=TITLES.__getitem__, key="case_artefact_shown")
    for number, place in enumerate(st.columns(len(effects[chosen]))):
        words = f"{TITLES[chosen]}: melanoma {percent(effects[chosen][number])}"
        picture = _jpeg(photo.sha256, chosen, number, check.seed or 0, spec, photo)
        place.image(picture, caption=words, width="stretch", alt=f"The photo with a drawing. {words}")


@st.cache_data(show_spinner=False, max_entries=30)
def _jpeg(sha256: str, artifact: str, number: int, seed: int, spec: InputSpec, _photo: Photo) -> bytes:  # noqa: ARG001
    """The hash is the key. Drawn anew each time it is asked for: such pictures are never stored."""
    drawn = with_artifact(_photo, cast(Artifact, artifact), number, seed, spec)
    picture = Image.fromarray(np.asarray(drawn.pixels))
    picture.thumbnail((SHOWN_PX, SHOWN_PX), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=85)
    return file.getvalue()
