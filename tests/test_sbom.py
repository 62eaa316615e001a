"""Bill of materials: every package that is installed with SkinLens, with version, hashes and license."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

from skinlens.labels import DISCLAIMER

ROOT = Path(__file__).parents[1]


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "deploy" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_is_in_it_with_hashes_and_a_license(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sbom = script("sbom")
    monkeypatch.setattr(sys, "argv", ["sbom.py", str(tmp_path)])
    assert sbom.main() == 0
    made = json.loads((tmp_path / sbom.SBOM).read_text())
    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.6")
    assert made["metadata"]["properties"][0]["value"] == DISCLAIMER
    names = {one["name"]: one for one in made["components"]}
    direct = {one["name"] for one in sbom.locked()["skinlens"]["dependencies"]}
    assert direct < names.keys()
    assert "torch" not in names  # no part of an installation for serving
    assert names["pillow"]["purl"] == f"pkg:pypi/pillow@{names['pillow']['version']}"
    assert all(len(file["hashes"][0]["content"]) == 64 for one in names.values() for file in one["externalReferences"])
    assert names["numpy"]["externalReferences"]
    refs = {one["bom-ref"] for one in made["components"]} | {made["metadata"]["component"]["bom-ref"]}
    assert {one["ref"] for one in made["dependencies"]} == refs
    assert {ref for one in made["dependencies"] for ref in one["dependsOn"]} <= refs
    listed = (tmp_path / sbom.LICENSES).read_text("utf-8-sig").splitlines()
    assert len(listed) == 2 + len(names)
    assert f"{len(names)} packages." in capsys.readouterr().out


def test_with_the_extra_for_training_torch_is_in_it() -> None:
    sbom = script("sbom")
    assert {"torch", "onnx"} < sbom.required(sbom.locked(), "train").keys()


@pytest.mark.parametrize(
    ("status", "said", "expected", "words"),
    [
        (0, "No known vulnerabilities found", 0, "No weakness of a pinned package is known."),
        (1, "requests.exceptions.ConnectionError: …", 2, "cannot be reached: an answer of pypi.org or osv.dev"),
        (
            0,
            "pillow Dependency not found on PyPI and could not be audited",
            2,
            "1 of the packages are not in the database",
        ),
        (1, "No module named pip_audit", 2, "pip-audit is not installed."),
        (1, "pillow 1.0 CVE-1", 1, "pillow 1.0 CVE-1\nTake a version without it"),
    ],
)
def test_what_pip_audit_says_is_told_in_a_sentence(status: int, said: str, expected: int, words: str) -> None:
    found = script("known_weaknesses").verdict(status, said)
    assert found[0] == expected
    assert words in found[1]


def test_all_pinned_packages_are_asked_about() -> None:
    listed = script("known_weaknesses").pinned(ROOT).splitlines()
    assert {line.partition("==")[0] for line in listed} >= {"pillow", "streamlit", "torch", "ruff"}
    assert all("==" in line for line in listed)
