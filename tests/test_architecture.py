"""The rules of the house that no linter holds: who may import what, which names say something, what may be
committed.

Each rule is a function from texts or files to findings, and each is shown here to find what it is for.
"""

import ast
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skinlens.imaging.intake import read_trusted_photo
from skinlens.imaging.synthetic import draw_synthetic_lesion

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "skinlens").rglob("*.py"))
PAGES = sorted((ROOT / "pages").glob("*.py"))
APP = ROOT / "app.py"

PAGE_IMPORTS = {"streamlit", "skinlens.pipeline", "skinlens.ui"}
PAGE_IMPORTS_OF_THE_LANGUAGE = {"collections.abc", "datetime", "typing"}
SERVING_PATH = (
    "skinlens.imaging.intake",
    "skinlens.imaging.quality",
    "skinlens.inference.classifier",
    "skinlens.pipeline",
    "skinlens.__main__",
)
TOO_HEAVY_TO_SERVE = [
    "lime",
    "matplotlib",
    "onnx",
    "pandas",
    "pytorch_grad_cam",
    "skimage",
    "sklearn",
    "streamlit",
    "timm",
    "torch",
    "torchvision",
]
NAMES_WITHOUT_MEANING = {"utils", "util", "helpers", "common", "manager", "base", "misc"}
WEIGHTS_MAX_MB = 30
PICTURES = {".bmp", ".gif", ".heic", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def identifier(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.fixture(scope="module")
def committed() -> list[Path]:
    """The files that are committed or about to be."""
    if not (ROOT / ".git").exists():
        pytest.skip("this is no git checkout, so there is no telling what is committed")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listing.split("\0") if name and (path := ROOT / name).is_file()]


# ------------------------------------------------------------------------------------------------- who imports whom


def imports(source: str) -> Iterator[str]:
    """Yield each module that a text imports, at any depth; for ``from a import b`` it is ``a.b``."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names)


def imports_beyond(source: str, allowed: Iterable[str]) -> list[str]:
    return [name for name in imports(source) if not any(f"{name}.".startswith(f"{one}.") for one in allowed)]


def test_imports_beyond_finds_every_form() -> None:
    source = """
import streamlit as st
import skinlens.store
from skinlens import pipeline, records
from skinlens.ui.widgets import band
def late():
    import numpy.linalg
    from . import sibling
import streamlit_extras
"""
    found = imports_beyond(source, PAGE_IMPORTS)
    assert sorted(found) == [".." + "sibling", "numpy.linalg", "skinlens.records", "skinlens.store", "streamlit_extras"]


@pytest.mark.parametrize("page", [*PAGES, APP], ids=identifier)
def test_a_page_imports_only_streamlit_the_pipeline_and_the_ui(page: Path) -> None:
    allowed = PAGE_IMPORTS | PAGE_IMPORTS_OF_THE_LANGUAGE
    assert imports_beyond(page.read_text(encoding="utf-8"), allowed) == []


def test_the_serving_path_starts_without_the_heavy_packages() -> None:
    code = (
        f"import sys, {', '.join(SERVING_PATH)}; print(*(name for name in {TOO_HEAVY_TO_SERVE} if name in sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def unrequired(source: str, required: Iterable[str]) -> set[str]:
    """Return the packages that a text imports but that come from no required distribution nor from the language."""
    elsewhere = sys.stdlib_module_names | {
        "skinlens",
        "tests",
        "benchmarks",
        "archives",
        "evidence",
        "faults",
        "figures",
        "listing",
        "picture",
        "reliability_figures",
        "_typeshed",
        "conftest",
        "",
    }
    owners = owners_of_packages()
    wanted = {normal(name) for name in required}
    roots = {name.partition(".")[0] for name in imports(source)} - elsewhere
    return {root for root in roots if not wanted & {normal(owner) for owner in owners.get(root, [root])}}


@cache
def owners_of_packages() -> Mapping[str, list[str]]:
    return packages_distributions()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_unrequired_knows_distributions_by_their_imports() -> None:
    source = (
        "import PIL.Image, sklearn, os, yaml\nfrom pytorch_grad_cam.utils import image\nfrom skinlens import records\n"
    )
    assert unrequired(source, ["pillow", "scikit-learn", "grad-cam"]) == {"yaml"}


def test_what_is_imported_is_required() -> None:
    """No package is used only because another one happens to install it."""
    to_run = requirements("requirements.txt") | requirements("requirements-ray.txt")
    to_test = to_run | requirements("requirements-dev.txt")
    tests = sorted((ROOT / "tests").rglob("*.py"))
    found = {
        identifier(path): missing
        for paths, required in (([*MODULES, *PAGES, APP], to_run), (tests, to_test))
        for path in paths
        if (missing := unrequired(path.read_text(encoding="utf-8"), required))
    }
    assert found == {}


def requirements(name: str) -> dict[str, str]:
    """Return the pinned version of each requirement of a file."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    pins = [line.partition("==") for line in lines if line and not line.startswith(("#", "-r "))]
    assert all(version for _, _, version in pins), f"{name} has a requirement without an exact version"
    return {package: version for package, _, version in pins}


def test_the_import_contract_finds_a_wrong_turn(tmp_path: Path) -> None:
    """The contract that ``make check`` runs fails on a copy of the tree with an import against the direction."""
    shutil.copytree(ROOT / "skinlens", tmp_path / "skinlens", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for module, wrong in {
        "records": "skinlens.store",
        "inference/classifier": "streamlit",
        "pipeline": "skinlens.training",
    }.items():
        path = tmp_path / "skinlens" / f"{module}.py"
        path.write_text(path.read_text(encoding="utf-8") + f"\nimport {wrong}\n", encoding="utf-8")
    (tmp_path / "skinlens" / "unlisted.py").touch()
    command = [Path(sys.executable).with_name("lint-imports"), "--no-cache"]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode == 1, run.stdout + run.stderr
    assert "3 broken" in run.stdout
    for finding in (
        "skinlens.records -> skinlens.store",
        "skinlens.inference.classifier -> streamlit",
        "skinlens.unlisted",
    ):
        assert finding in run.stdout


# ------------------------------------------------------------------------------------------------- the linter's part


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("try:\n    x = 1\nexcept:\n    x = 2\n", "E722"),
        ("try:\n    x = 1\nexcept Exception:\n    x = 2\n", "BLE001"),
        ("x = 1  # type: ignore\n", "PGH003"),
        ("x = 1  # noqa\n", "PGH004"),
        ("import numpy as np\n\nnp.random.seed(1)\n", "NPY002"),
        ("import datetime\n\ndatetime.datetime.now()\n", "DTZ005"),
        ("def f(a: int, unused: int) -> int:\n    return a\n", "ARG001"),
    ],
)
def test_the_linter_refuses(source: str, code: str) -> None:
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename=skinlens/x.py", "-"]
    run = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert code in run.stdout


# --------------------------------------------------------------------------------------------------- names


def without_meaning(paths: Iterable[Path]) -> list[str]:
    """Return the paths with a part that says nothing of what is in it."""
    return [
        str(path) for path in paths if NAMES_WITHOUT_MEANING & {part.lower() for part in path.with_suffix("").parts}
    ]


def test_without_meaning_looks_at_folders_and_files() -> None:
    paths = [Path("skinlens/utils/x.py"), Path("skinlens/Helpers.py"), Path("skinlens/baseline.py")]
    assert without_meaning(paths) == [str(path) for path in paths[:2]]


def test_names_say_what_is_inside(committed: list[Path]) -> None:
    assert without_meaning(path.relative_to(ROOT) for path in committed if path.suffix == ".py") == []


@pytest.mark.parametrize("module", MODULES, ids=identifier)
def test_a_module_says_what_it_is_for(module: Path) -> None:
    assert ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))


# ------------------------------------------------------------------------------------------------- what is committed

ONE_MACHINES_PATH = re.compile(r"""(?<![\w.~/])/(?:work|root|home|Users|mnt)/\w|[A-Z]:\\+Users\\""")
DATA_BESIDE_THE_CHECKOUT = re.compile("shared" + "/(?:data|design)")


def ties_to_one_machine(text: str) -> list[str]:
    """Return the lines that name a folder of one person's or one workplace's machine."""
    return [
        line for line in text.splitlines() if ONE_MACHINES_PATH.search(line) or DATA_BESIDE_THE_CHECKOUT.search(line)
    ]


def test_ties_to_one_machine_tells_paths_from_addresses() -> None:
    tied = ["open('/wo" + "rk/main')", "cd /ro" + "ot/x", r"C:\User" + r"s\me", "../sha" + "red/data/x"]
    free = ["https://example.org/work/x", "frame/work", "src/home/page", "~/work/x", "/workshop"]
    assert ties_to_one_machine("\n".join(tied + free)) == tied


def test_nothing_committed_names_one_machine(committed: list[Path]) -> None:
    # .ci/run alone says where the data set lies where the gate runs.
    found = {}
    for path in committed:
        text = path.read_bytes()
        if b"\0" in text or identifier(path) == ".ci/run":
            continue
        if lines := ties_to_one_machine(text.decode("utf-8", errors="replace")):
            found[identifier(path)] = lines
    assert found == {}


def test_the_weights_stay_small() -> None:
    total = sum(path.stat().st_size for path in (ROOT / "weights").rglob("*") if path.is_file())
    assert 0 < total <= WEIGHTS_MAX_MB * 1e6


def signature(data: bytes | Path) -> np.ndarray:
    """Return 24×18 gray values with mean 0 and length 1: alike for copies of a picture in another size or format."""
    if isinstance(data, bytes):  # a committed picture, of whatever kind
        gray = Image.fromarray(read_trusted_photo(data).pixels).convert("L")
    else:  # one of ten thousand JPEGs
        with Image.open(data) as photo:
            photo.draft("L", (96, 72))  # decoded at a quarter of its size, in a fifth of the time
            gray = photo.convert("L")
    values = np.asarray(gray.resize((24, 18), Image.Resampling.BOX), dtype=np.float32).ravel()
    values = values - values.mean()
    return values / max(float(np.linalg.norm(values)), 1e-6)


def copies(pictures: dict[str, bytes], photos: list[Path]) -> dict[str, str]:
    """Return, for each picture that is a photo of the data set in whatever size and format, that photo's name."""
    if not pictures:
        return {}
    hashes = {hashlib.sha256(photo.read_bytes()).hexdigest(): photo.name for photo in photos}
    signatures = np.stack([signature(photo) for photo in photos])
    found = {}
    for name, data in pictures.items():
        alike = signatures @ signature(data)
        if exact := hashes.get(hashlib.sha256(data).hexdigest()):
            found[name] = exact
        elif alike.max() > 0.995:
            found[name] = photos[int(alike.argmax())].name
    return found


def test_copies_sees_through_size_and_format(ham10000: Path) -> None:
    photos = sorted((ham10000 / "images").iterdir())[:200]
    shrunk = io.BytesIO()
    with Image.open(photos[7]) as photo:
        photo.resize((133, 100)).save(shrunk, "PNG")
    drawn = io.BytesIO()
    Image.fromarray(draw_synthetic_lesion()).save(drawn, "JPEG")
    pictures = {"same": photos[3].read_bytes(), "shrunk": shrunk.getvalue(), "drawn": drawn.getvalue()}
    assert copies(pictures, photos) == {"same": photos[3].name, "shrunk": photos[7].name}


def test_no_photo_of_the_data_set_is_committed(committed: list[Path], ham10000: Path) -> None:
    photos = sorted(path for path in ham10000.rglob("*.jpg") if "mask" not in path.parent.name.lower())
    assert photos, f"{ham10000} holds no photos"
    pictures = {identifier(path): path.read_bytes() for path in committed if path.suffix.lower() in PICTURES}
    assert copies(pictures, photos) == {}


# ------------------------------------------------------------------------------------------------------- the set-up


def test_streamlit_listens_here_alone_and_sends_nothing() -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text(encoding="utf-8"))
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["server"]["address"] == "127.0.0.1"


def test_the_gate_on_a_bare_checkout_skips_nothing() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    text = script.read_text(encoding="utf-8")
    assert "export SKINLENS_NO_SKIPS=1" in text
    assert "/ham10000_400x300}" in text
    assert "make check" in text
