"""``python -m skinlens`` as it is called, on a tiny release."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from io import BytesIO
from itertools import count
from pathlib import Path

import numpy as np
import pypdf
import pytest
from PIL import Image

from skinlens import pipeline
from skinlens.cli import main
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.patient_context import FEATURES, ContextModel
from skinlens.inference.release import load_manifest
from skinlens.labels import CODES, DISCLAIMER
from skinlens.store import CaseStore
from skinlens.wording.quality import UNRELIABLE
from skinlens.wording.verdict import CONTEXT_PRIOR
from tests.store.edits import add_patient

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photo") / "lesion.jpg"
    Image.fromarray(draw_synthetic_lesion(3)).save(path, quality=90)
    return path


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> object:
    assert main([str(one) for one in arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_predict_as_json(release: Path, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = answer(capsys, "predict", photo, "--json", "--weights", release)
    assert isinstance(result, dict)
    assert list(result["probs"]) == list(CODES)
    assert sum(result["probs"].values()) == pytest.approx(1)
    assert result["top"] == max(result["probs"], key=result["probs"].get)
    assert result["top"] in result["prediction_set"]["codes"]
    assert result["prediction_set"]["calibrated_on"] == "14 photos of val"
    manifest = json.loads((release / "manifest.json").read_text())
    assert result["model"]["sha256"] == manifest["files"]["student-int8.onnx"]["sha256"]
    assert {check["name"] for check in result["quality"]["checks"]} >= {"sharpness", "short_side", "familiarity"}
    assert result["latency_ms"] > 0
    assert result["disclaimer"] == DISCLAIMER


def test_predict_several_and_in_words(
    release: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = answer(capsys, "predict", photo, photo, "--json", "--weights", release)
    assert isinstance(results, list)
    assert results[0]["probs"] == results[1]["probs"]
    assert main(["predict", str(photo), "--weights", str(release)]) == 0
    words = capsys.readouterr().out
    assert "melanocytic nevus (benign)" in words
    assert "(90\u00a0% confidence)" in words
    assert DISCLAIMER in words
    bad = tmp_path / "bad.jpg"
    bad.write_text("hello")
    assert main(["predict", str(photo), str(bad), "--json", "--weights", str(release)]) == 2
    captured = capsys.readouterr()
    assert len(json.loads(captured.out)) == 1
    assert len(captured.err.strip().splitlines()) == 1
    assert str(bad) in captured.err


def test_predict_says_where_the_model_is_another_release(
    release: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    note = "the model is not the release that came with this version"
    assert answer(capsys, "predict", photo, "--json", "--weights", release)["bundled_release"] is False
    assert main(["predict", str(photo), "--weights", str(release)]) == 0
    assert note in capsys.readouterr().out
    assert answer(capsys, "predict", photo, "--json")["bundled_release"] is True
    assert main(["predict", str(photo)]) == 0
    captured = capsys.readouterr()
    assert note not in captured.out
    assert captured.err == ""


def test_predict_says_of_a_strange_photo_only_that(
    release: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In words without a probability; in JSON with the figures, marked as not reliable."""
    strict = tmp_path / "weights"
    shutil.copytree(release, strict)
    with np.load(release / "ood.npz", allow_pickle=False) as found:
        np.savez(strict / "ood.npz", **{**found, "limit": np.float32(-1)})
    manifest = json.loads((strict / "manifest.json").read_text())
    changed = (strict / "ood.npz").read_bytes()
    manifest["files"]["ood.npz"] |= {"sha256": hashlib.sha256(changed).hexdigest(), "bytes": len(changed)}
    (strict / "manifest.json").write_text(json.dumps(manifest))
    assert main(["predict", str(photo), "--weights", str(strict)]) == 0
    words = capsys.readouterr().out
    assert UNRELIABLE in words
    assert "90\u00a0% level" not in words
    assert "melanoma" not in words.lower().replace(UNRELIABLE.lower(), "").split("distance from")[0]
    result = answer(capsys, "predict", photo, "--json", "--weights", strict)
    assert isinstance(result, dict)
    assert (result["reliable"], result["verdict"]) == (False, [UNRELIABLE])
    assert sum(result["probs"].values()) == pytest.approx(1)
    out = tmp_path / "maps"
    assert main(["explain", str(photo), "--out", str(out), "--methods", "grad_cam", "--weights", str(strict)]) == 0
    assert UNRELIABLE in capsys.readouterr().err


def test_explain_writes_maps_at_the_photos_resolution(
    release: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "maps"
    result = answer(
        capsys, "explain", photo, "--out", out, "--methods", "grad_cam,score_cam", "--label", "mel", "--json",
        "--weights", release,
    )  # fmt: skip
    assert isinstance(result, dict)
    assert [one["method"] for one in result["explanations"]] == ["grad_cam", "score_cam"]
    for one in result["explanations"]:
        heatmap = np.load(one["heat"], allow_pickle=False)
        assert heatmap.shape == (450, 600)
        assert heatmap.dtype == np.float32
        assert heatmap.min() >= 0
        assert heatmap.max() <= 1
        with Image.open(one["overlay"]) as picture:
            assert picture.width == 600
            assert picture.height > 450  # the color scale, what is shown, and the disclaimer stand below it
            assert (np.asarray(picture)[-1] == 255).all()
        assert one["label"] == "mel"


def test_explain_one_class_against_another(
    release: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["explain", photo, "--out", tmp_path, "--methods", "grad_cam", "--label", "mel", "--json"]
    contrast = answer(capsys, *asked, "--against", "nv", "--weights", release)
    alone = answer(capsys, *asked, "--weights", release)
    assert isinstance(contrast, dict)
    assert isinstance(alone, dict)
    one, other = contrast["explanations"][0], alone["explanations"][0]
    assert (one["params"], other["params"]) == ({"against": "nv"}, {})
    assert Path(one["heat"]).name == "grad_cam-mel-not-nv.npy"
    assert not np.array_equal(np.load(one["heat"], allow_pickle=False), np.load(other["heat"], allow_pickle=False))
    assert main([str(part) for part in [*asked, "--against", "mel", "--weights", release]]) == 2
    assert "cannot be contrasted with itself" in capsys.readouterr().err


def test_report_is_a_pdf_with_the_disclaimer(
    release: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.pdf"
    assert main(["report", str(photo), "--out", str(out), "--methods", "grad-cam", "--weights", str(release)]) == 0
    assert capsys.readouterr().out.strip() == str(out)
    pages = pypdf.PdfReader(BytesIO(out.read_bytes())).pages
    assert all("Not a medical device" in page.extract_text() for page in pages)


def test_a_report_without_an_annex_is_one_page_and_makes_no_map(
    release: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def text(*more: str) -> list[str]:
        out = tmp_path / "report.pdf"
        arguments = ["report", str(photo), "--out", str(out), "--methods", "grad-cam", "--weights", str(release), *more]
        assert main(arguments) == 0
        return [page.extract_text() for page in pypdf.PdfReader(BytesIO(out.read_bytes())).pages]

    first, *annex = text("--annex")
    assert "Grad-CAM" in "".join(annex)
    assert len(text()) == 1 + len(annex)
    monkeypatch.setattr("skinlens.cli.photo.explain", None)
    (alone,) = text("--no-annex")
    assert alone.replace("Page 1 of 1", "") == first.replace(f"Page 1 of {1 + len(annex)}", "")


def test_two_reports_of_one_photo_are_equal_byte_by_byte(
    release: Path, photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one day; every clock that measures a duration gives other numbers the second time."""
    arguments = ["report", str(photo), "--methods", "grad-cam,score-cam", "--weights", str(release), "--out"]
    files = [tmp_path / "first.pdf", tmp_path / "second.pdf"]
    monkeypatch.setattr(pipeline, "local_day", lambda _: "2026-01-31")
    assert main([*arguments, str(files[0])]) == 0
    slower, clock = count(0, 7.25), time.perf_counter
    monkeypatch.setattr(time, "perf_counter", lambda: clock() + next(slower))
    assert main([*arguments, str(files[1])]) == 0
    assert next(slower) > 3 * 7.25  # it was asked
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict", "/nowhere/photo.jpg"],
        ["predict", "{text}"],
        ["predict", "{folder}"],
        ["explain", "{text}", "--out", "{folder}/maps"],
        ["report", "{text}", "--out", "{folder}/report.pdf"],
        ["predict", "{photo}", "--weights", "{folder}"],
        ["evaluate", "--images", "{folder}", "--labels", "{text}"],
        ["train", "{text}"],
    ],
)
def test_bad_input_gives_one_line_and_two(
    release: Path, photo: Path, tmp_path: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "note.jpg"
    text.write_text("not a picture")
    filled = [one.format(text=text, folder=tmp_path, photo=photo) for one in arguments]
    if "--weights" not in filled and filled[0] != "train":
        filled += ["--weights", str(release)]
    assert main(filled) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert len(captured.err.strip().splitlines()) == 1
    assert captured.err.startswith("skinlens: ")


def test_doctor_finds_what_is_wrong(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--weights", str(release)]) == 0
    table = capsys.readouterr().out
    assert table.count("ok ") == 11
    for file in release.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["reference"]["logits"][0] += 1
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    (tmp_path / "ood.npz").write_bytes(b"damaged")
    assert main(["doctor", "--weights", str(tmp_path)]) == 1
    table = capsys.readouterr().out
    assert table.count("WRONG") == 2
    assert "ood.npz is not the one that was released" in table
    assert "logits differ by 1.000" in table


def test_it_runs_as_a_module(release: Path, photo: Path) -> None:
    """In a process of its own: JSON alone on stdout, and neither torch nor Streamlit loaded for a prediction."""
    code = (
        "import sys; from skinlens.cli import main; status = main(sys.argv[1:]); "
        "heavy = {'torch', 'timm', 'streamlit', 'lime', 'sklearn', 'pytorch_grad_cam'} & set(sys.modules); "
        "assert not heavy, heavy; sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, "predict", str(photo), "--json", "--weights", str(release)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["top"] in CODES


def test_predict_with_what_is_known_of_the_patient(
    release: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["predict", str(photo), "--age", "63", "--sex", "Female", "--site", "lower back"]
    assert main([*asked, "--weights", str(release)]) == 2
    assert "was released without what age, sex and site change" in capsys.readouterr().err
    coefficients = np.zeros((len(FEATURES), 7))
    coefficients[FEATURES.index("female"), CODES.index("mel")] = np.log(3)
    fitted = ContextModel(coefficients, np.full(7, 1 / 7), 1.0, "drawn lesions")
    weights = tmp_path / "weights"
    shutil.copytree(release, weights)
    content = {**load_manifest(release).content, "patient_context": fitted.content()}
    (weights / "manifest.json").write_text(json.dumps(content))
    result = answer(capsys, *asked, "--json", "--weights", weights)
    assert isinstance(result, dict)
    known = result["with_context"]
    assert (known["age_years"], known["sex"], known["site"], known["note"]) == (63, "female", "trunk", CONTEXT_PRIOR)
    odds = {name: probs["mel"] / probs["nv"] for name, probs in (("photo", result["probs"]), ("both", known["probs"]))}
    assert odds["both"] == pytest.approx(3 * odds["photo"])
    assert "with_context" not in answer(capsys, "predict", photo, "--json", "--weights", weights)  # type: ignore[operator]
    assert main([*asked, "--weights", str(weights)]) == 0
    words = capsys.readouterr().out
    if result["reliable"]:
        assert "With age 63, female, trunk:" in words
        assert CONTEXT_PRIOR in words
    else:
        assert "With age, sex and site: not shown either." in words
    assert main([*asked[:-1], "moon", "--weights", str(weights)]) == 2
    assert "Nothing is known of the body site 'moon'" in capsys.readouterr().err


def test_everything_is_backed_up_and_restored(
    skinlens_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    add_patient(CaseStore(skinlens_home), "P-0001", 1961, "female")
    assert main(["backup", str(tmp_path / "stick")]) == 0
    said = capsys.readouterr()
    path = Path(said.out.splitlines()[0])
    assert path.parent == tmp_path / "stick"
    assert said.out.splitlines()[1] == "0 cases, 0 photos and maps: written and verified."
    assert said.err.splitlines()[-1] == "Backing up: 100\u00a0%"
    assert main(["restore", str(path)]) == 2
    assert "(0 cases, 1 patient), and nothing of it was changed" in capsys.readouterr().err
    assert main(["restore", str(path), "--replace"]) == 0
    assert "What was there before is in" in capsys.readouterr().out
    assert [one.pseudonym for one in CaseStore(skinlens_home).patients()] == ["P-0001"]
    monkeypatch.setenv("SKINLENS_HOME", str(tmp_path / "new"))
    assert main(["restore", str(path)]) == 0
    assert str(tmp_path / "new") in capsys.readouterr().out
    assert [one.pseudonym for one in CaseStore(tmp_path / "new").patients()] == ["P-0001"]
    assert main(["restore", str(tmp_path / "nothing.zip")]) == 2
    assert "There is no file" in capsys.readouterr().err
