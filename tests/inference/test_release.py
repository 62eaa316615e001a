"""The manifest is bound to the code: a cut-off that was moved is no reading."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from skinlens import doctor
from skinlens.cli import main
from skinlens.errors import WeightsError
from skinlens.inference import manifest_schema as releases
from skinlens.inference import release
from skinlens.inference.release import BUNDLED, load_engine, load_manifest, write_manifest
from skinlens.segmentation.head import load_segmentation_head
from tests.faults import files_of_at_most

Change = Callable[[dict[str, Any]], object]


def raise_the_threshold(content: dict[str, Any]) -> None:
    content["melanoma_threshold"]["value"] = 0.95


@pytest.fixture
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of what ships, in the place of the real one."""
    folder = tmp_path / "weights"
    shutil.copytree(BUNDLED, folder)
    monkeypatch.setattr(release, "BUNDLED", folder)
    monkeypatch.setattr(releases, "BUNDLED_RELEASE", shutil.copy(releases.BUNDLED_RELEASE, tmp_path / "bundled.json"))
    return folder


def change(folder: Path, by: Change) -> None:
    path = folder / "manifest.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    by(content)
    path.write_text(json.dumps(content), encoding="utf-8")


def test_the_release_that_ships_is_the_one_that_the_code_names() -> None:
    assert load_manifest().bundled
    named = json.loads(releases.BUNDLED_RELEASE.read_text(encoding="utf-8"))
    assert named == {"version": load_manifest().version, "manifest_sha256": load_manifest().sha256}


@pytest.mark.parametrize(
    "by",
    [
        raise_the_threshold,
        lambda content: content.update(temperature=2.0),
        lambda content: content["prediction_set"]["class_thresholds"].update(mel=0.5),
        lambda content: content["files"]["head.npz"].update(sha256="0" * 64),
        lambda content: content.update(note="another"),
    ],
)
def test_no_word_of_the_manifest_that_ships_can_be_changed(shipped: Path, by: Change) -> None:
    change(shipped, by)
    with pytest.raises(
        WeightsError, match=r"is not the manifest that this version came with: expected SHA-256 \w{12}…"
    ):
        load_engine(shipped)
    found = {one.what: one for one in doctor.examine(shipped)}
    assert not found["model files"].passed
    assert "came with" in found["model files"].message


def test_how_the_manifest_is_laid_out_does_not_matter(shipped: Path) -> None:
    path = shipped / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))  # as some checkouts have it
    assert load_manifest(shipped).bundled


@pytest.mark.slow
def test_a_release_in_a_folder_of_its_own_is_used_and_said(
    shipped: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other"
    shutil.copytree(shipped, other)
    assert load_manifest(other).bundled  # the same release in another place
    change(other, raise_the_threshold)
    assert not load_manifest(other).bundled
    assert load_manifest(other).melanoma_threshold.value == 0.95
    assert main(["doctor", "--weights", str(other)]) in {0, 1}
    assert f"NOT the bundled release: {other}" in capsys.readouterr().out


def test_a_new_manifest_for_the_folder_that_ships_is_bound_to_the_code(shipped: Path, tmp_path: Path) -> None:
    content = load_manifest(shipped).content | {"version": "9.9"}
    write_manifest(shipped, content)
    assert load_manifest(shipped).bundled
    assert json.loads(releases.BUNDLED_RELEASE.read_text())["version"] == "9.9"
    (tmp_path / "mine").mkdir()
    write_manifest(tmp_path / "mine", content | {"version": "10"})  # one of one's own leaves the code alone
    assert json.loads(releases.BUNDLED_RELEASE.read_text())["version"] == "9.9"


def test_a_release_is_written_whole_or_not_at_all(shipped: Path, tmp_path: Path) -> None:
    """Its files, the manifest and what the code knows of it: a disk that is full leaves the release of before."""
    before = {path: path.read_bytes() for path in (*shipped.iterdir(), tmp_path / "bundled.json")}
    content = load_manifest(shipped).content | {"version": "9.9"}
    with files_of_at_most(8192), pytest.raises(OSError, match="File too large") as refused:
        write_manifest(shipped, content, {"head.npz": b"new"})
    assert refused.value.filename == str(shipped / "manifest.json")
    assert {path: path.read_bytes() for path in (*shipped.iterdir(), tmp_path / "bundled.json")} == before


def test_what_is_loaded_is_what_was_checked(shipped: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is read once: what is exchanged between the check and the use would be used unchecked."""
    read: list[str] = []
    original = Path.read_bytes

    def exchange_after(path: Path) -> bytes:
        file = original(path)
        if path.parent == shipped:
            read.append(path.name)
            path.write_bytes(b"exchanged")
        return file

    monkeypatch.setattr(Path, "read_bytes", exchange_after)
    manifest = load_manifest(shipped)
    for part in (manifest.ood, manifest.head, lambda: load_segmentation_head(shipped)):
        part()
    with pytest.raises(WeightsError, match=r"head\.npz is not the one that was released"):
        load_engine(shipped)
    assert read.count("ood.npz") == 1
    assert read.count("outline.onnx") == 1


@pytest.mark.parametrize(
    ("by", "words"),
    [
        (lambda content: content.pop("melanoma_threshold"), "expected a number between 0 and 1 at melanoma_threshold"),
        (lambda content: content["melanoma_threshold"].update(value=1.5), "melanoma_threshold.value, found '1.5'"),
        (lambda content: content["melanoma_threshold"].update(value="high"), "melanoma_threshold.value, found 'high'"),
        (lambda content: content["melanoma_threshold"].update(sensitivity=True), "melanoma_threshold.sensitivity"),
        (lambda content: content.update(temperature=0), "a positive number at temperature, found '0'"),
        (lambda content: content.update(temperature=float("nan")), "a positive number at temperature, found 'nan'"),
        (
            lambda content: content["prediction_set"]["class_thresholds"].pop("mel"),
            "prediction_set.class_thresholds.mel, found 'None'",
        ),
        (lambda content: content["exits"].pop("exit_2"), "exits.exit_2.temperature"),
        (lambda content: content.update(head="../head.npz"), "expected a file's name at head, found '../head.npz'"),
        (lambda content: content.update(head="/etc/passwd"), "expected a file's name at head"),
        (lambda content: content["files"].pop("head.npz"), "expected a SHA-256 at files.head.npz.sha256"),
        (lambda content: content["files"].update({"../x": {"sha256": "0" * 64}}), "names of files in this folder"),
        (lambda content: content["input"].update(size_px=-1), "input.size_px"),
        (lambda content: content["input"].update(color=1), "expected an object with keys of"),
        (lambda content: content["input"].update(mean=[0.5]), "input.mean"),
        (lambda content: content.update(labels=None), "expected the classes"),
    ],
)
def test_a_manifest_that_says_what_cannot_be_is_refused(tmp_path: Path, by: Change, words: str) -> None:
    shutil.copy(BUNDLED / "manifest.json", tmp_path)
    change(tmp_path, by)
    with pytest.raises(WeightsError) as problem:
        load_manifest(tmp_path)
    assert words in str(problem.value)


def test_a_manifest_that_is_no_object_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("[1]")
    with pytest.raises(WeightsError, match="expected a JSON object"):
        load_manifest(tmp_path)


def test_the_metadata_beside_the_manifest_is_of_the_same_release() -> None:
    """In the keys of a MONAI bundle: those that its specification requires, but for the version of MONAI."""
    content, metadata = (json.loads((BUNDLED / name).read_text()) for name in ("manifest.json", "metadata.json"))
    required = {"version", "pytorch_version", "numpy_version", "task", "description", "authors", "copyright"}
    assert required | {"network_data_format", "intended_use"} <= set(metadata)
    assert metadata["version"] == content["version"]
    data = metadata["network_data_format"]
    side = content["input"]["size_px"]
    assert (data["inputs"]["image"]["spatial_shape"], data["inputs"]["image"]["value_range"]) == ([side, side], [-1, 1])
    assert data["outputs"]["pred"]["channel_def"]["4"] == "melanoma"
    assert metadata["eval_metrics"]["melanoma_auc"] == content["parity"]["int8"]["melanoma_auc"]
    assert "not a medical device" in metadata["intended_use"]


def test_a_manifest_of_an_earlier_version_is_read_under_the_present_keys(release: Path, tmp_path: Path) -> None:
    """A release up to 0.4.0 has other keys, and says the same."""
    present = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    assert not {"familiarity", "made_with", "taught_by"} & set(present)
    former = dict(present)
    for old, new in (("familiarity", "ood"), ("made_with", "versions"), ("taught_by", "teachers")):
        former[old] = former.pop(new)
    rule = dict(present["prediction_set"])
    former["prediction_set"] = {"floors": rule.pop("class_thresholds"), **rule}
    folder = tmp_path / "former"
    shutil.copytree(release, folder)
    (folder / "manifest.json").write_text(json.dumps(former), encoding="utf-8")
    assert load_manifest(folder).content == present
    assert load_manifest(folder).set_rule == load_manifest(release).set_rule
    assert load_manifest(folder).sha256 != load_manifest(release).sha256
