"""Prediction and maps by the API: the figures of the command line, in the shape that the OpenAPI document has."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from skinlens.api.openapi import document
from skinlens.cli import main
from skinlens.labels import CODES, DISCLAIMER
from skinlens.store import CaseStore


def held(name: str, content: Any) -> Any:
    """What was answered, held against the schema of that name."""
    described = document()
    jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **described}).validate(content)
    return content


def test_a_photo_gets_the_answer_that_the_command_line_gives(
    api: TestClient, lesion: bytes, release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lesion.jpg"
    path.write_bytes(lesion)
    assert main(["predict", str(path), "--json", "--weights", str(release)]) == 0
    expected = json.loads(capsys.readouterr().out)
    answered = api.post("/predict", content=lesion)
    assert answered.status_code == 200
    said = held("Prediction", answered.json())
    for name in ("latency_ms", "photo"):
        expected.pop(name, None)
        said.pop(name, None)
    assert said == expected
    assert said["out_of_distribution"]["beyond"] is not said["reliable"]
    views = said["views"]
    assert views["count"] == 8
    # The first of the eight views is the photo as it is.
    assert all(views["least"][code] <= said["probs"][code] + 1e-4 for code in CODES)
    assert all(views["most"][code] >= said["probs"][code] - 1e-4 for code in CODES)
    assert answered.headers["skinlens-disclaimer"] == said["disclaimer"] == DISCLAIMER
    assert not CaseStore().database.exists() or CaseStore().search().total == 0  # nothing is stored


def test_a_map_comes_with_its_picture_and_its_numbers(api: TestClient, lesion: bytes) -> None:
    answered = api.post("/explain?label=mel&method=grad-cam&contrast_with=nv", content=lesion)
    assert answered.status_code == 200
    made = held("Explanation", answered.json())["explanation"]
    assert (made["method"], made["label"], made["params"]["against"]) == ("grad_cam", "mel", "nv")
    values = np.frombuffer(base64.b64decode(made["heatmap"]["values_base64"]), "<f4").reshape(made["heatmap"]["shape"])
    assert (values.min() >= 0, values.max() <= 1, values.max() > 0) == (True, True, True)
    picture = base64.b64decode(made["overlay_png_base64"])
    with Image.open(io.BytesIO(picture)) as shown, Image.open(io.BytesIO(lesion)) as photo:
        assert (shown.format, shown.width) == ("PNG", photo.width)
        assert shown.height > photo.height  # the words below it
    alone = api.post(
        "/explain?label=mel&method=grad_cam&contrast_with=nv", content=lesion, headers={"accept": "image/png"}
    )
    assert (alone.headers["content-type"], alone.content) == ("image/png", picture)
    assert alone.headers["skinlens-disclaimer"] == DISCLAIMER


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?method=rise", "There is no method 'rise'. Choose one of"),
        ("?label=melanoma", "'melanoma'"),
        ("?label=nv&contrast_with=nv", "cannot be contrasted with itself"),
        ("?class=mel", "There is no parameter 'class' here. Choose from: label, method, contrast_with."),
        ("?label=mel&label=nv", "A parameter was given twice."),
    ],
)
def test_a_parameter_that_is_not_right_is_said(api: TestClient, lesion: bytes, query: str, said: str) -> None:
    answered = api.post(f"/explain{query}", content=lesion)
    assert answered.status_code == 422
    assert held("Error", answered.json())["error"]["kind"] == "ParameterError"
    assert said in answered.json()["error"]["message"]


def test_the_document_is_served_and_names_every_route(api: TestClient) -> None:
    described = api.get("/openapi.json").json()
    assert described.pop("disclaimer") == DISCLAIMER
    assert described == json.loads(json.dumps(document()))
    for path, ways in described["paths"].items():
        for way in ways:
            answered = api.request(way, path.replace("{case}", "9"))
            assert answered.status_code != 405
            assert answered.json().get("error", {}).get("kind") != "HTTP"


def test_the_command_prints_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["api", "openapi"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(document()))
