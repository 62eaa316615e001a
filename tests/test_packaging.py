"""The wheel: what it declares, and that SkinLens runs from it without a checkout and without torch."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect

import skinlens
from skinlens.cli import EXTRAS
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.serve import free_port
from skinlens.store import CaseStore
from tests.browser.serving import LIMIT_S, printed, serving
from tests.browser.test_journey import chromium, show_reading

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BLOCK = f"""
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {EXTRAS}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Absent())
"""
"""An environment in which the packages of the extras cannot be imported."""


def test_the_citation_is_of_this_version() -> None:
    stated = re.findall(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M)
    assert stated == [skinlens.__version__]


def test_the_declared_versions_are_those_of_the_requirements() -> None:
    pinned = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if "==" in line]
    extras = {name: extra for name, extra in PROJECT["optional-dependencies"].items() if name != "ray"}
    declared = [*PROJECT["dependencies"], *(one for extra in extras.values() for one in extra if "==" in one)]
    assert sorted(declared) == sorted(pinned)
    assert not any(re.match("torch|timm|lime|grad-cam|scikit-learn", one) for one in PROJECT["dependencies"])


def test_the_lock_file_holds_the_declared_versions_and_hashes() -> None:
    """``uv lock`` makes it anew."""
    lock = {one["name"]: one for one in tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]}
    extras = PROJECT["optional-dependencies"]
    declared = [*PROJECT["dependencies"], *(one for extra in extras.values() for one in extra if "==" in one)]
    for name, version in (re.sub(r"\[.*\]", "", one).split("==") for one in declared):
        assert lock[name]["version"] == version
        files = [*lock[name].get("wheels", ()), *filter(None, [lock[name].get("sdist")])]
        assert files
        assert all(file["hash"].startswith("sha256:") for file in files)
    assert lock["skinlens"]["version"] == PROJECT["version"]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of a new environment that holds the wheel; what it requires comes from this one."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, timeout=300)
    (wheel,) = folder.glob("skinlens-*.whl")
    environment = folder / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=120)
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    (packages / "required.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    (packages / "sitecustomize.py").write_text(BLOCK)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet", "--python", str(environment)]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True, timeout=300)
    return environment / "bin"


def run(installed: Path, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """``skinlens`` as it is installed, from a folder that is no checkout."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SKINLENS_"))}
    return subprocess.run(
        [str(installed / "skinlens"), *arguments],
        cwd=folder,
        env=environment | {"SKINLENS_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.slow
def test_it_predicts_explains_and_reports_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    photo = tmp_path / "lesion.png"
    Image.fromarray(draw_synthetic_lesion(3)).save(photo)
    where = subprocess.run(
        [str(installed / "python"), "-c", "import skinlens.paths; print(skinlens.paths.ROOT)"],
        cwd=tmp_path,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTHON")},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    assert Path(where).is_relative_to(installed.parent)
    predicted = run(installed, tmp_path, "predict", str(photo), "--json")
    assert predicted.returncode == 0, predicted.stderr
    assert json.loads(predicted.stdout)["bundled_release"] is True
    explained = run(installed, tmp_path, "explain", str(photo), "--out", "maps")
    assert explained.returncode == 0, explained.stderr
    assert len(list((tmp_path / "maps").glob("*.png"))) == 3
    reported = run(installed, tmp_path, "report", str(photo), "--out", "report.pdf", "--no-annex")
    assert reported.returncode == 0, reported.stderr
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.slow
def test_the_doctor_finds_the_installation_in_order(installed: Path, tmp_path: Path) -> None:
    examined = run(installed, tmp_path, "doctor")
    assert examined.returncode == 0, examined.stdout + examined.stderr


@pytest.mark.slow
def test_a_command_of_an_extra_says_what_to_install(installed: Path, tmp_path: Path) -> None:
    refused = run(installed, tmp_path, "sensitivity", "runs/none")
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "Install the packages of skinlens[train]" in refused.stderr


@pytest.mark.slow
@pytest.mark.browser
def test_the_app_of_the_wheel_reads_a_photo_in_a_browser(installed: Path, tmp_path: Path) -> None:
    photo, home = tmp_path / "lesion.jpg", tmp_path / "home"
    Image.fromarray(draw_synthetic_lesion(3)).save(photo, quality=92)
    CaseStore(home).acknowledge_disclaimer()
    port = free_port("127.0.0.1", int(os.environ["SKINLENS_TEST_PORT"]))
    arguments, apart = ["app", "--port", str(port)], {"PYTHONPATH": "", "STREAMLIT_SERVER_HEADLESS": "true"}
    with (
        serving(arguments, port, home, told=apart, program=installed / "skinlens", cwd=tmp_path) as address,
        chromium() as browser,
    ):
        page = browser.new_page()
        page.set_default_timeout(LIMIT_S * 1000)
        page.goto(printed(home / "log").replace(f"{address}/", f"{address}/visit"))
        page.locator("input[type=file]").set_input_files(photo)
        show_reading(page)
        expect(page.get_by_text("cut-off").first).to_be_visible()
