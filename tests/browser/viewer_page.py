"""A page with nothing but the viewer, for the tests of it: a drawn photo of 2400 × 1800 px and of known scale; below it
a second viewer with two photos over each other.
"""

import numpy as np
import streamlit as st
from PIL import Image

from skinlens.imaging.preprocess import InputSpec
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.records import Photo
from skinlens.ui import viewer
from skinlens.ui.viewer import Panel

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
    viewer.show(first, alone, InputSpec(), style="heat", opacity=0.4, key="one", columns=len(alone),
                mm_per_px=MM_PER_PX, on_look=print if len(alone) > 1 else None)  # fmt: skip
    viewer.load(first, key="one")
    pair = [Panel("before", "2024", "", (), "Photo of 2024"), Panel("after", "2025", "", (), "Photo", photo=second)]
    viewer.show(first, pair, InputSpec(), style="heat", opacity=0.4, key="two", columns=2, overlaid=True)
    viewer.load(first, second, key="two")


if __name__ == "__main__":
    page()
