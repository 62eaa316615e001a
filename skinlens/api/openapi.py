"""OpenAPI document of the API: its routes, what they take, and the shape of each answer."""

from typing import Any

from skinlens import __version__
from skinlens.explain import METHODS
from skinlens.imaging.intake.sniffing import ACCEPTED, MAX_BYTES, MAX_PIXELS
from skinlens.labels import BY_CODE, CODES, DISCLAIMER

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "number"}
_TRUTH: Schema = {"type": "boolean"}
_WHOLE: Schema = {"type": "integer"}
_TEXTS: Schema = {"type": "array", "items": _TEXT}
_CODE: Schema = {"type": "string", "enum": list(CODES)}
_SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
_SHA256: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_DISCLAIMER: Schema = {"type": "string", "const": DISCLAIMER}
_SETTINGS: Schema = {"type": "object", "additionalProperties": {"type": ["number", "string", "boolean"]}}
_REFUSALS = {
    400: "It is no HTTP request that can be read.",
    401: "No token, or one that lets nobody in.",
    403: "The role of the token does not allow it.",
    408: "The head of the request, or the photo, did not arrive in time.",
    409: "It does not go with what is stored.",
    413: f"The photo is larger than {MAX_BYTES // 2**20} MB.",
    415: "A form was sent instead of the photo itself.",
    421: "The API was asked under a name that is not its own.",
    422: "It is no photo that can be read, or a parameter is not right.",
    404: "There is no such case, or no such address.",
    429: "Too many wrong tokens came from this address.",
    500: "A fault in SkinLens.",
    503: "The case folder or the model cannot be used, too much is asked at once, or the server was told to end.",
}


def document() -> dict[str, Any]:
    """The document, OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SkinLens",
            "version": __version__,
            "summary": DISCLAIMER,
            "description": f"{DISCLAIMER} Photos are read on this computer alone. {_classes()}",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"token": []}],
        "paths": {
            "/predict": {"post": _predict()},
            "/explain": {"post": _explain()},
            "/worklist": {"post": _worklist()},
            "/report/{case}": {"get": _report()},
            "/openapi.json": {"get": _described()},
        },
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Prediction": _object({**_prediction(), "views": _views()}, "What the model says of a photo."),
                "Explanation": _object({**_prediction(), "explanation": _explanation()}, "The same, with a heat map."),
                "Arrival": _object(_arrival(), "A photo that waits to be filed."),
                "Error": _object({"error": _object({"kind": _TEXT, "message": _TEXT}), "disclaimer": _DISCLAIMER}),
            },
        },
    }


def _classes() -> str:
    return f"Codes of the classes: {'; '.join(f'{code} {BY_CODE[code].name}' for code in CODES)}."


def _object(properties: Schema, description: str = "") -> Schema:
    """All properties are always there, and no others."""
    said = {"description": description} if description else {}
    made = {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}
    return {**made, **said}


def _or_nothing(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _probs(description: str) -> Schema:
    return _object(dict.fromkeys(CODES, _SHARE), description)


def _prediction() -> Schema:
    threshold = {"value": _SHARE, "sensitivity": _SHARE, "specificity": _SHARE, "chosen_on": _TEXT}
    check = {
        **dict.fromkeys(("name", "title", "unit", "advice"), _TEXT),
        **dict.fromkeys(("value", "limit"), _NUMBER),
        "direction": {"enum": ["at least", "at most"]},
        "passed": _TRUTH,
    }
    reliable = "False for a photo unlike the training photos: then no figure here says anything of the lesion."
    return {
        "photo_sha256": {**_SHA256, "description": "Of width, height and pixels, whatever the file format."},
        "top": {**_CODE, "description": "The most probable class."},
        "reliable": {**_TRUTH, "description": reliable},
        "probs": _probs("Calibrated probability of each class; their sum is 1."),
        "melanoma": _object({"prob": _SHARE, "above_threshold": _TRUTH, "threshold": _object(threshold)}),
        "prediction_set": _or_nothing(
            _object(
                {"codes": {"type": "array", "items": _CODE}, "level": _SHARE, "calibrated_on": _TEXT},
                "The classes that cannot be ruled out.",
            )
        ),
        "turns": _or_nothing(_range("The orientations whose mean is the result, each alone.")),
        "verdict": {**_TEXTS, "description": "Sentences for people."},
        "quality": _object({"passed": _TRUTH, "checks": {"type": "array", "items": _object(check)}}),
        "out_of_distribution": _or_nothing(
            _object(
                {"distance": _NUMBER, "limit": _NUMBER, "beyond": _TRUTH},
                "How far the photo is from the training photos.",
            )
        ),
        "notes": {**_TEXTS, "description": "What was changed while the photo was read."},
        "model": _object({"name": _TEXT, "version": _TEXT, "sha256": _SHA256}),
        "bundled_release": {**_TRUTH, "description": "Whether the model is the one that came with this version."},
        "latency_ms": _NUMBER,
        "disclaimer": _DISCLAIMER,
    }


def _views() -> Schema:
    return _range("The photo in eight orientations: the least and the most probable that each class becomes.")


def _range(description: str) -> Schema:
    sides = {"least": _probs("Of all orientations."), "most": _probs("Of all orientations.")}
    return _object({"count": _WHOLE, **sides}, description)


def _explanation() -> Schema:
    values = {
        "dtype": {"const": "float32"},
        "byte_order": {"const": "little"},
        "shape": {"type": "array", "items": _WHOLE, "minItems": 2, "maxItems": 2},
        "values_base64": {"type": "string", "contentEncoding": "base64"},
    }
    made = {
        "method": {"enum": list(METHODS)},
        "label": _CODE,
        "params": _SETTINGS,
        "seed": _or_nothing(_WHOLE),
        "duration_ms": _NUMBER,
        "diagnostics": {"type": "object", "additionalProperties": _NUMBER},
        "heatmap": _object(values, "In the square frame of the network's input: 0 none, 1 most."),
        "overlay_png_base64": {"type": "string", "contentEncoding": "base64", "contentMediaType": "image/png"},
    }
    return _object(made)


def _predict() -> Schema:
    return {
        "operationId": "predict",
        "summary": "Class probabilities, verdict, quality and spread of a photo. Nothing is stored.",
        "requestBody": _photo(),
        "responses": {"200": _json("Prediction"), **_refusals(400, 401, 403, 408, 413, 415, 421, 422, 429, 500, 503)},
    }


def _explain() -> Schema:
    parameters = [
        _query("label", {**_CODE, "description": "Class to explain; the most probable one by default."}),
        _query("method", {"enum": list(METHODS), "default": "grad_cam"}),
        _query("contrast_with", {**_CODE, "description": "Class that it is contrasted with."}),
    ]
    content = {**_json("Explanation")["content"], "image/png": {}}
    return {
        "operationId": "explain",
        "summary": "A heat map of a photo. With “Accept: image/png” the map over the photo alone. Nothing is stored.",
        "parameters": parameters,
        "requestBody": _photo(),
        "responses": {
            "200": {"description": "The map.", "content": content},
            **_refusals(400, 401, 403, 408, 413, 415, 421, 422, 429, 500, 503),
        },
    }


def _arrival() -> Schema:
    stored = "Numbers of the cases that hold this very photo already."
    return {
        "photo_sha256": {**_SHA256, "description": "As in a prediction."},
        "stored_as": {"type": "array", "items": _WHOLE, "description": stored},
        "notes": _TEXTS,
        "disclaimer": _DISCLAIMER,
    }


def _worklist() -> Schema:
    return {
        "operationId": "worklist",
        "summary": "A photo for the worklist, where it waits until somebody files it. It is noted in the audit log.",
        "requestBody": _photo(),
        "responses": {
            "201": {**_json("Arrival"), "description": "It waits."},
            "200": {**_json("Arrival"), "description": "It waited already."},
            **_refusals(400, 401, 403, 408, 413, 415, 421, 422, 429, 500, 503),
        },
    }


def _report() -> Schema:
    case = {"name": "case", "in": "path", "required": True, "schema": {**_WHOLE, "minimum": 0}}
    annex = {**_TRUTH, "default": False, "description": "Maps, tests and technical details on further pages."}
    return {
        "operationId": "report",
        "summary": "The report of a stored case. It is noted in the audit log.",
        "parameters": [case, _query("annex", annex)],
        "responses": {
            "200": {"description": "The PDF.", "content": {"application/pdf": {}}},
            **_refusals(400, 401, 403, 404, 408, 421, 422, 429, 500, 503),
        },
    }


def _described() -> Schema:
    return {
        "operationId": "openapi",
        "summary": "This document.",
        "responses": {
            "200": {"description": "OpenAPI 3.1.", "content": {"application/json": {"schema": {"type": "object"}}}},
            **_refusals(400, 401, 408, 421, 422, 429, 500, 503),
        },
    }


def _photo() -> Schema:
    words = (
        f"The photo itself, not a form: {ACCEPTED}, at most {MAX_BYTES // 2**20} MB and {MAX_PIXELS // 10**6} "
        "megapixels. Its kind is told by its content; its metadata is dropped."
    )
    return {"required": True, "description": words, "content": {"application/octet-stream": {}, "image/*": {}}}


def _query(name: str, schema: Schema) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": schema}


def _json(name: str) -> Schema:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": "Done.", "content": {"application/json": {"schema": schema}}}


def _refusals(*statuses: int) -> Schema:
    return {str(status): {**_json("Error"), "description": _REFUSALS[status]} for status in statuses}
