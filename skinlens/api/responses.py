"""Responses of the API: JSON with the disclaimer in it, refusals in the sentences of the app, and headers of all."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from skinlens.errors import (
    CaseNotFound,
    Conflict,
    InvalidEntry,
    NotAllowed,
    ParameterError,
    SkinLensError,
    StoreError,
    UnreadableImage,
    WeightsError,
)
from skinlens.labels import DISCLAIMER

HEADERS: Mapping[str, str] = {
    "skinlens-disclaimer": DISCLAIMER,
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""Headers of every answer."""
_STATUS: Mapping[type[SkinLensError], int] = {
    UnreadableImage: 422,
    ParameterError: 422,
    InvalidEntry: 422,
    NotAllowed: 403,
    CaseNotFound: 404,
    Conflict: 409,
    StoreError: 503,
    WeightsError: 503,
}
"""Where none of them holds it is 500."""


class Refusal(SkinLensError):
    """A request that is refused before anything is done, with the status that HTTP has for it."""

    def __init__(self, status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.kind, self.headers = status, kind, dict(headers or {})


class JSON(Response):
    """A JSON object in UTF-8. What it says is followed by the disclaimer."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        said = {**content, "disclaimer": DISCLAIMER}
        return json.dumps(said, ensure_ascii=False, allow_nan=False).encode("utf-8")


def refused(status: int, kind: str, message: str, headers: Mapping[str, str] | None = None) -> JSON:
    """``kind`` is for programs, ``message`` for people."""
    return JSON({"error": {"kind": kind, "message": message}}, status, dict(headers or {}))


def of_error(error: SkinLensError) -> JSON:
    """Answer to what SkinLens refused, in the sentence in which the app would say it."""
    if isinstance(error, Refusal):
        return refused(error.status, error.kind, str(error), error.headers)
    kind = next((kind_of_error for kind_of_error in type(error).__mro__ if kind_of_error in _STATUS), SkinLensError)
    return refused(_STATUS.get(kind, 500), type(error).__name__, str(error))
