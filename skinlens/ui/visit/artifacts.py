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
from skinlens.ui.components.figures import STATIC, calm
from skinlens.ui.components.text import plain
from skinlens.ui.components.theme import BLUE, GRAY, ORANGE, error_bar
from skinlens.ui.state import session
from skinlens.ui.state.open_case import OpenCase
from skinlens.ui.visit import checks

SHOWN_PX = 500
RISE, FALL = ORANGE, BLUE


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
    """A bar for each artifact, in percentage points; rises and falls differ in side, color and pattern."""
    before: float = check.figures["prob"]
    effects: Sequence[Mapping[str, Any]] = check.figures["effects"]
    changes = [
        {
            "value": 100 * effect["change"],
            "low": 100 * (min(effect["probs"]) - before),
            "high": 100 * (max(effect["probs"]) - before),
        }
        for effect in effects
    ]
    means = [change["value"] for change in changes]
    figure = go.Figure(
        go.Bar(
            y=[TITLES[effect["artifact"]] for effect in effects],
            x=means,
            orientation="h",
            marker={
                "color": [RISE if mean > 0 else FALL for mean in means],
                "pattern": {"shape": ["" if mean > 0 else "/" for mean in means], "fillmode": "overlay", "size": 7},
            },
            error_x=error_bar(changes),
            hovertemplate="%{y}: %{x:+.1f} points<extra></extra>",
        )
    )
    reach = max(2.0, *(abs(change[end]) for change in changes for end in ("low", "high"))) * 1.15
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(
        range=[-reach, reach],
        title="percentage points, rise to the right",
        zeroline=True,
        zerolinewidth=2,
        zerolinecolor=GRAY,
        fixedrange=True,
    )
    return calm(figure, 290)


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
