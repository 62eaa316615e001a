"""Do the maps keep to those of the published libraries on the float network? On request: it takes a minute."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st

from skinlens import pipeline
from skinlens.checks.agreement import HOTTEST_PART, SAME_AREA_HELP, SHARED_HELP
from skinlens.checks.reference import KIND, Reference
from skinlens.explain import METHODS
from skinlens.explain.overlay import difference
from skinlens.imaging.preprocess import InputSpec, heat_to_photo
from skinlens.inference.classifier import Classifier
from skinlens.labels import BY_CODE, CODES
from skinlens.records import CheckResult, Explanation, Photo, Progress
from skinlens.ui import cache, checks, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import percent, plain

PICTURE_PX = 480
"""Long side of a picture of the differences."""
HELP = f"""
The maps of this page are made by SkinLens's own code, on the eight-bit copy of the network that gives the prediction.
Here they are made again with the published libraries (pytorch-grad-cam and lime), on the network before it was reduced
to eight bits. What is compared is so the code, the reduction, and whatever is shortened to save time.

**Same order of heat**: rank correlation of all pixels; 1 is the same order from cold to hot, 0 unrelated.

**{HOTTEST_PART.capitalize()} shared**: {SHARED_HELP} {SAME_AREA_HELP}

LIME depends on chance, and the library draws its trials in another way: its maps differ somewhat even where nothing is
amiss.
"""
LEGEND = "Orange: hotter here than in the library's map. Purple: hotter in the library's. Gray: the same."


def section(opened: OpenCase, classifier: Classifier | None) -> None:
    shown = checks.shown_maps(opened)
    found = {one: check for one in shown if (check := checks.of_map(opened, KIND, one)) is not None}
    drawn = {one: picture for one in found if (picture := _held().get(one)) is not None}
    able = [one for one in checks.checkable_maps(opened, classifier) if one not in drawn]
    if not found and not able:
        return
    st.subheader("Agreement with published libraries", help=HELP)
    if found:
        _show(opened, list(found.values()), drawn)
    if able and classifier is not None:
        checks.ask(
            opened,
            (KIND, opened.target.code),
            "Compare with the published libraries",
            "Cancel the check against the reference",
            _computing(classifier, opened.analysis.photo, able),
            hint=_missing(found, able)
            if found
            else "The same maps with pytorch-grad-cam and lime, on the network before its reduction to eight bits. It "
            "takes a minute or two; the page can be used meanwhile.",
        )


def _missing(found: Mapping[Explanation, CheckResult], able: Sequence[Explanation]) -> str:
    """Why one may ask again: for maps that were not checked yet, or for the pictures of those that were."""
    if new := [one for one in able if one not in found]:
        return checks.missing(new)
    return "The pictures of the differences are not kept with the case. Made again, they can be seen."


def _held() -> dict[Explanation, bytes]:
    """Pictures of the differences, for the open case; forgotten with it, as all keys of that beginning are."""
    found: dict[Explanation, bytes] = st.session_state.setdefault("case_references", {})
    return found


def _computing(classifier: Classifier, photo: Photo, able: Sequence[Explanation]) -> checks.Compute:
    held = _held()  # here, since a worker has no session

    def compute(progress: Progress) -> Sequence[CheckResult]:
        reduction, made = pipeline.reference(classifier, photo, able, progress=progress)
        held.update({one.explained: _picture(photo, one, classifier.engine.spec) for one in made})
        return [reduction.to_check(), *(one.to_check() for one in made)]

    return compute


def _show(opened: OpenCase, found: Sequence[CheckResult], drawn: Mapping[Explanation, bytes]) -> None:
    widgets.table(
        ("Map", "Same order of heat", f"{HOTTEST_PART.capitalize()} shared", "Mean difference", "Result"),
        [_row(check) for check in found],
    )
    if drawn:
        for column, (explained, picture) in zip(st.columns(len(METHODS), gap="medium"), drawn.items(), strict=False):
            title = METHODS[explained.method].title
            column.image(picture, width="stretch", caption=title, alt=f"Differences of the {title} maps. {LEGEND}")
        st.caption(LEGEND)
    if about := opened.checks_of(KIND, "", ""):
        _probabilities(about[-1].figures)
    checks.provenance(found)


def _row(check: CheckResult) -> tuple[str, ...]:
    figures = check.figures
    return (
        METHODS[check.method].title if check.method else "",
        "no order" if figures["spearman"] is None else f"{figures['spearman']:.2f}",
        f"{100 * figures['hottest_iou']:.0f} %",
        f"{100 * figures['mean_difference']:.1f} % of the scale",
        "same area" if figures["same_area"] else "another area",
    )


def _probabilities(figures: Mapping[str, Any]) -> None:
    """What the reduction to eight bits did to the prediction."""
    before, after, moved = figures["float_probs"], figures["int8_probs"], figures["moved"]
    first, now = (BY_CODE[max(CODES, key=probs.__getitem__)].name for probs in (before, after))
    top = (
        f"The most probable class stayed {now}." if first == now else f"The most probable class was {first}, now {now}."
    )
    st.markdown(
        plain(
            f"The reduction to eight bits moved {BY_CODE[moved].name} most: from {percent(before[moved])} to "
            f"{percent(after[moved])}. {top}"
        )
    )


def _picture(photo: Photo, one: Reference, spec: InputSpec) -> bytes:
    small = cache.reduced(photo, PICTURE_PX)
    height, width = small.shape[:2]
    hotter, colder = (
        heat_to_photo(np.maximum(part, 0), height, width, spec) for part in (one.difference, -one.difference)
    )
    return cache.jpeg(difference(small, hotter - colder))
