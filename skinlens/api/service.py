"""Functions of the API without HTTP: bytes and names in, records of JSON, pictures and files out."""

import base64
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from skinlens import pipeline
from skinlens.accounts import Token
from skinlens.case_record import Proposal
from skinlens.errors import NotAllowed
from skinlens.exchange import photo_result
from skinlens.exchange.dicom.received import Received, read_received
from skinlens.explain import CONTRAST_WITH, explain, method_of
from skinlens.imaging import intake
from skinlens.inference.classifier import Classifier
from skinlens.records import Explanation, Photo, Pixels
from skinlens.report import pdf
from skinlens.roles import TOKEN_ROLES
from skinlens.store import CaseStore


@dataclass(frozen=True)
class Report:
    """Report of a stored case, and a sentence for each thing that is not as it should be."""

    content: bytes
    problems: tuple[str, ...]


@dataclass(frozen=True)
class Service:
    """The functions, with the model and the case folder that they work with. Any thread may use it."""

    home: Path
    classifier: Classifier
    bundled: bool
    """Whether the model is the release that came with this version."""

    def store(self, token: Token) -> CaseStore:
        """The case store as the owner of the token may use it. Raises NotAllowed where its role is none."""
        role = next((known for known in TOKEN_ROLES if known == token.role), None)
        if role is None:
            raise NotAllowed(token.problem(token.created_at), "read")
        return CaseStore(self.home, actor=token.actor, role=role)

    def predict(self, data: bytes) -> dict[str, Any]:
        """Raises UnreadableImage."""
        analysis = pipeline.analyze(data, self.classifier)
        said = photo_result.of_photo(analysis, bundled=self.bundled)
        return {**said, "views": photo_result.of_views(self.classifier, analysis.photo)}

    def explain(
        self, data: bytes, method: str, label: str = "", contrast_with: str = ""
    ) -> tuple[dict[str, Any], bytes]:
        """The answer on the photo with a map of it, and that map over the photo as PNG.

        ``label``: code of the class to explain; empty: the most probable one. Raises UnreadableImage, ParameterError.
        """
        analysis = pipeline.analyze(data, self.classifier)
        params = {CONTRAST_WITH: contrast_with} if contrast_with else {}
        label = label or analysis.prediction.top.code
        made = explain(method_of(method), self.classifier, analysis.photo, label, params=params)
        picture = _png(photo_result.picture_of(made, analysis.photo, self.classifier))
        said = photo_result.of_photo(analysis, bundled=self.bundled)
        shown = {"heatmap": _values(made), "overlay_png_base64": base64.b64encode(picture).decode("ascii")}
        return {**said, "explanation": {**photo_result.of_explanation(made), **shown}}, picture

    def take_in(self, store: CaseStore, data: bytes) -> tuple[dict[str, Any], bool]:
        """Keep a photo for the worklist, where it waits to be filed, and whether it did not wait already.

        Nothing of the result is told: the worklist asks for an impression before it shows one.
        Raises UnreadableImage, StoreError, NotAllowed.
        """
        came, photo = _received(data)
        waiting = {received.token for received in store.received()}
        received = store.keep_received(came.data, came.proposal, came.identity)
        stored = [row.visit_id for row in store.cases_with_photo(photo.sha256)]
        said = {"photo_sha256": photo.sha256, "stored_as": stored, "notes": list(photo.notes)}
        return said, received.token not in waiting

    def report(self, store: CaseStore, number: int, *, annex: bool) -> Report:
        """Noted in the audit log before it is handed out. Raises CaseNotFound, StoreError, NotAllowed."""
        printing = pipeline.printing(store.settings(), self.classifier.engine.spec, annex=annex)
        composed, problems = pipeline.report_content(store, number, printing)
        content = pdf.render(composed)
        not_noted = store.note_export("visit", number, "printed")
        return Report(content, (*problems, *([not_noted] if not_noted else [])))


def _received(data: bytes) -> tuple[Received, Photo]:
    """The photo, and as what it may be kept: of a DICOM file what intake reads and no more, of any other the pixels
    alone. Raises UnreadableImage.
    """
    if intake.recognize(data) == "DICOM":
        return read_received(data)
    photo = intake.read_photo(data)
    return Received(_png(photo.pixels), Proposal(), ""), photo


def _png(pixels: Pixels) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=3)
    return file.getvalue()


def _values(explanation: Explanation) -> dict[str, Any]:
    """The map in the square frame of the network's input, 0 none to 1 most, row by row from the top left."""
    values = np.ascontiguousarray(explanation.heatmap, dtype="<f4")
    return {
        "dtype": "float32",
        "byte_order": "little",
        "shape": list(values.shape),
        "values_base64": base64.b64encode(values.tobytes()).decode("ascii"),
    }
