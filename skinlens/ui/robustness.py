"""Do the maps stay where they are when the photo is hardly changed, and LIME's with another seed? On request."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from skinlens.checks.agreement import OVERLAP, SHARED_HELP
from skinlens.checks.robustness import BRIGHTNESS, KIND, SEEDS, STEADY, TURN_DEGREES, robustness, verdict
from skinlens.explain import METHODS
from skinlens.inference.classifier import Classifier
from skinlens.records import CheckResult, Explanation, Photo, Progress
from skinlens.ui import checks, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import percent, plain

HELP = f"""
Each map is made again from the photo turned by {TURN_DEGREES:.0f}° to either side, and from the photo made
{100 * BRIGHTNESS:.0f} % brighter and darker: less than the difference between two photos of one lesion. Turned maps
are turned back before they are compared. LIME, in which chance has a part, is made again with {SEEDS} other seeds too.

**Shared**: {SHARED_HELP} **Order**: rank correlation of all pixels; 1 is the same order from cold to hot, 0
unrelated. The worst of each kind of change is shown. A map is called steady if it shares {100 * STEADY:.0f} % or more
each time, and said to move in part from {100 * OVERLAP:.0f} % on.

The model itself may answer otherwise to the changed photo. Then a map rightly moves; so its probabilities stand beside.
"""


ASKING = checks.Asking(
    "Stability",
    HELP,
    "Check how stable the maps are",
    "Cancel the check of stability",
    lambda _: (
        "Would the maps be the same had the photo been taken a little askew or in other light? The slower "
        "methods are made several times for this: it takes some time, and the page can be used meanwhile."
    ),
)


def section(opened: OpenCase, classifier: Classifier | None) -> None:
    checks.section_of_maps(opened, KIND, classifier, _check, ASKING, _table)


def compute(opened: OpenCase, classifier: Classifier, able: Sequence[Explanation]) -> checks.Compute:
    """The check of these maps of the open photo, for the desk."""
    return checks.of_maps(_check, opened, classifier, able)


def _check(classifier: Classifier, photo: Photo, explanation: Explanation, progress: Progress) -> CheckResult:
    return robustness(classifier, photo, explanation, progress=progress).to_check()


def _table(found: Sequence[CheckResult], target: str) -> None:
    rows = []
    for one in found:
        changes = one.figures["changes"]
        turned, lit = changes[:2], changes[2:]
        again = _worst(one.figures["seeds"]) if one.figures["seeds"] else "nothing is random"
        result = verdict(one.figures["least_shared"])
        rows.append((METHODS[one.method].title if one.method else "", _worst(turned), _worst(lit), again, result))
    widgets.table(("Map", "Photo turned", "Other light", "Other seeds", "Result"), rows)
    probs = [change["prob"] for one in found for change in one.figures["changes"]]
    st.caption(
        f"Meanwhile the model's probability of {plain(target)} was {percent(min(probs))} to {percent(max(probs))}; "
        f"on the photo as it is, {percent(found[0].figures['prob'])}."
    )
    checks.provenance(found)


def _worst(trials: Sequence[Mapping[str, Any]]) -> str:
    """The least likeness of some trials in words."""
    shared = min(one["hottest_iou"] for one in trials)
    orders = [one["spearman"] for one in trials]
    order = "no order left" if None in orders else f"order {min(orders):.2f}"
    return f"shared {100 * shared:.0f}\u00a0%, {order}"
