"""A page with nothing but the viewer, for the tests of it: a drawn photo of 2400 × 1800 px and of known scale; below it
a second viewer with two photos over each other.
"""

import numpy as np
import streamlit as st
from PIL import Image

from skinlens.imaging.preprocess import InputSpec
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.records import Photo
from skinlens.ui.components import viewer
from skinlens.ui.components.viewer import Layout, Panel, Row

SIDES = (2400, 1800)
MM_PER_PX = 0.01


def drawn(seed: int) -> Photo:
    pixels = np.asarray(Image.fromarray(draw_synthetic_lesion(seed)).resize(SIDES))
    return Photo(pixels, f"{seed:064x}", "PNG")


def page() -> None:
    st.set_page_config(layout="wide")
    first, second = drawn(1), drawn(2)
    alone = [Panel("photo", "", "", (), "Photo")]
    if "keys" in st.query_params:  # a row that listens to the keyboard, as on a page with two visits
        alone += [Panel("other", "", "", (), "Other", photo=second)]
    viewer.show(
        Row(first, alone, InputSpec(), opacity=0.4, mm_per_px=MM_PER_PX),
        Layout(columns=len(alone)),
        key="one",
        on_look=print if len(alone) > 1 else None,
    )
    viewer.load(first, key="one")
    pair = [Panel("before", "2024", "", (), "Photo of 2024"), Panel("after", "2025", "", (), "Photo", photo=second)]
    viewer.show(Row(first, pair, InputSpec(), opacity=0.4), Layout(columns=2, overlaid=True), key="two")
    viewer.load(first, second, key="two")


if __name__ == "__main__":
    page()
