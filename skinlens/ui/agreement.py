"""Do the maps of the page point to the same area? By default: it takes milliseconds."""

import streamlit as st

from skinlens.checks.agreement import (
    HOTTEST_PART,
    MISMATCHED_AGREE,
    OVERLAP,
    SAME_AREA_HELP,
    SHARED_HELP,
    STUDIED_PHOTOS,
    agree,
)
from skinlens.errors import SkinLensError
from skinlens.explain import METHODS
from skinlens.inference.classifier import Classifier
from skinlens.ui import checks, widgets
from skinlens.ui.open_case import OpenCase
from skinlens.ui.words import plain

HELP = f"""
**Same order of heat**: rank correlation of all pixels. 1 is the same order from cold to hot, 0 unrelated, -1 reversed.

**{HOTTEST_PART.capitalize()} shared**: {SHARED_HELP} {SAME_AREA_HELP} From {100 * OVERLAP:.0f} % on they overlap in
part.

**Centers apart**: between the centers of the hottest areas, in % of the picture's diagonal. 0 % is the same center.

Agreement does not make a map right. Grad-CAM and Score-CAM read the same inner patterns of the network: on
{STUDIED_PHOTOS} photos of the validation set they always pointed to the same area, and so did, in
{100 * MISMATCHED_AGREE:.0f} % of the pairs, their maps of two *different* photos, because lesions lie in the middle.
That LIME points to the same area is rare, and says more.
"""


def section(opened: OpenCase, classifier: Classifier | None) -> None:  # noqa: ARG001  sections are called alike
    shown = checks.shown_maps(opened)
    if len(shown) < 2:
        return
    st.subheader("Do the maps agree?", help=HELP)
    try:
        found = agree(shown)
    except SkinLensError as error:
        st.caption(plain(error))
        return
    st.markdown(plain(found.verdict))
    if found.pairs:
        widgets.table(
            ("Maps", "Same order of heat", f"{HOTTEST_PART.capitalize()} shared", "Centers apart, of the diagonal"),
            [
                (
                    f"{METHODS[pair.first].title} and {METHODS[pair.second].title}",
                    f"{pair.spearman:.2f}",
                    f"{100 * pair.hottest_iou:.0f} %",
                    f"{pair.center_distance_percent:.0f} %",
                )
                for pair in found.pairs
            ],
        )
