"""Caches that all sessions of the app share: the model, the store's folder, and pictures as bytes."""

import io
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st
from PIL import Image

from skinlens import pipeline
from skinlens.errors import WeightsError
from skinlens.inference.classifier import Classifier
from skinlens.inference.release import load_manifest, weights_directory
from skinlens.records import Photo, Pixels
from skinlens.report import pdf
from skinlens.segmentation.head import SegmentationHead, load_segmentation_head
from skinlens.settings import Settings
from skinlens.store import CaseStore, Tidied, default_home
from skinlens.store.in_use import InUse
from skinlens.ui.state import access, tabs

_SETTINGS = "settings_of_run"
DISPLAY_PX = 1200
"""Long side of a photo on a page: sharp at full width, and light enough to be sent with every change of a map."""


def classifier() -> Classifier:
    """The installed model, loaded once. Raises WeightsError, and looks again on the next call."""
    folder = weights_directory()
    asked = folder, _stamp(folder)
    shown = tabs.here() and asked not in _LOADED  # a thread of ours has no page to show it on
    with st.spinner("Loading the model …") if shown else nullcontext():
        model = _classifier(*asked)
    _LOADED.add(asked)
    return model


_LOADED: set[tuple[Path, float]] = set()


@st.cache_resource(show_spinner=False, max_entries=2)
def _classifier(folder: Path, stamp: float) -> Classifier:  # noqa: ARG001  the stamp is a part of the key
    return pipeline.load_classifier(folder)


def _stamp(folder: Path) -> float:
    try:
        return (folder / "manifest.json").stat().st_mtime
    except OSError:
        return 0.0


def installed() -> Classifier | None:
    """The installed model; None if there is none that can be used."""
    try:
        return classifier()
    except WeightsError:
        return None


def segmentation_head() -> SegmentationHead:
    """Segmentation head, which draws the lesion's outline, loaded once. Raises WeightsError, and looks again on the
    next call.
    """
    folder = weights_directory()
    return _segmentation_head(folder, _stamp(folder))


@st.cache_resource(show_spinner=False, max_entries=2)
def _segmentation_head(folder: Path, stamp: float) -> SegmentationHead:  # noqa: ARG001  the stamp is a part of the key
    return load_segmentation_head(folder)


def todays_version() -> str | None:
    model = installed()
    return None if model is None else model.engine.model_ref.version


def manifest() -> dict[str, Any]:
    """The whole manifest of the installed model. Raises WeightsError."""
    return load_manifest(weights_directory()).content


def bundled() -> bool:
    """Whether the installed model is the one that this version came with. Raises WeightsError."""
    return load_manifest(weights_directory()).bundled


def store() -> CaseStore:
    """The case store for who this page is drawn for, checked and tidied at the start of the app and every ten minutes.

    Raises:
        StoreError: it cannot be used.
        NotAllowed: they have signed out.
    """
    home = default_home()
    _tidied(home)
    _in_use(home)
    who = access.here()
    return CaseStore(home, actor=who.actor, role=who.role)


def begin_run() -> None:
    """Begin a run of a page: what is read once a run is read anew."""
    st.session_state.pop(_SETTINGS, None)


def settings() -> Settings:
    """Settings as they were stored when this run of the page asked first: another window may have changed them since. A
    part that is drawn by itself has those of the page. Raises StoreError.
    """
    if _SETTINGS not in st.session_state:
        st.session_state[_SETTINGS] = CaseStore(default_home()).settings()
    stored: Settings = st.session_state[_SETTINGS]
    return stored


def store_problems() -> tuple[str, ...]:
    """Problems that the start found in the store, in sentences. Raises StoreError."""
    return _tidied(default_home()).problems


@st.cache_resource(show_spinner=False, ttl=600)  # what was amiss may be mended meanwhile
def _tidied(home: Path) -> Tidied:
    return CaseStore(home).tidy()


@st.cache_resource(show_spinner=False)
def _in_use(home: Path) -> InUse:
    """Held as long as the app runs: no backup is restored under it."""
    return InUse(home)


def display_jpeg(photo: Photo) -> bytes:
    """The photo as a JPEG of at most ``DISPLAY_PX``, for a page."""
    return _display_jpeg(f"{photo.sha256} {photo.placeholder}", photo)


@st.cache_data(show_spinner=False, max_entries=32)
def _display_jpeg(key: str, _photo: Photo) -> bytes:  # noqa: ARG001  the hash is the key
    return jpeg(reduced(_photo, DISPLAY_PX))


def reduced(photo: Photo, longest_px: int) -> Pixels:
    """The photo with a long side of at most ``longest_px``."""
    picture = Image.fromarray(np.asarray(photo.pixels))
    picture.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS, reducing_gap=3.0)
    return np.asarray(picture)


def jpeg(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=90)
    return file.getvalue()


@st.cache_data(show_spinner="Making the report …", max_entries=8)
def report(
    home: Path,
    visit_id: int,
    version: str,  # noqa: ARG001  changes whenever the case does, or the visit before
    annex: bool,
    settings: Settings,
) -> tuple[bytes, tuple[str, ...], list[bytes]]:
    """The PDF, what is missing from it, and its pages as PNG."""
    model = installed()  # a stored case can be printed without one
    printing = pipeline.printing(settings, None if model is None else model.engine.spec, annex=annex)
    composed, problems = pipeline.report_content(CaseStore(home), visit_id, printing)
    return pdf.render(composed), problems, pdf.preview(composed)
