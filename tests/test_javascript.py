"""The components' JavaScript: linted as it is served, tested by node's own runner, and the same curve as in Python."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import playwright
import pytest

from skinlens.segmentation.contour import PIECES, catmull_rom
from tests.closeness import assert_near

ROOT = Path(__file__).resolve().parents[1]
UI, TESTS = ROOT / "skinlens" / "ui", ROOT / "tests" / "javascript"
NODE = Path(playwright.__file__).parent / "driver" / "node"
"""Playwright's wheel brings the one that it runs on."""
_VIEWER = tuple(f"components/viewer/{name}.js" for name in ("picture", "loupe", "compare", "region", "viewer"))
SERVED = {
    "viewer": _VIEWER,
    "outliner": (*_VIEWER[:2], "components/outliner/outliner.js"),
    "photos": ("components/viewer/photos.js",),
    "body_map": ("components/bodymap/body_map.js",),
    "shortcuts": ("components/shortcuts/shortcuts.js",),
    "connection": ("shell/connection.js",),
    "session": ("shell/session.js",),
}
"""Scripts that the browser gets as one."""


def test_every_script_of_ours_is_linted() -> None:
    ours = {path.relative_to(UI).as_posix() for path in UI.rglob("*.js") if "vendor" not in path.parts}
    assert ours == {part for parts in SERVED.values() for part in parts}


@pytest.mark.parametrize("name", SERVED)
def test_the_linter_finds_nothing(name: str, tmp_path: Path) -> None:
    """Undefined names and those that nobody uses among them, over what is served together."""
    script = tmp_path / f"{name}.js"
    script.write_text("".join((UI / part).read_text(encoding="utf-8") for part in SERVED[name]), encoding="utf-8")
    program = shutil.which("oxlint", path=str(Path(sys.executable).parent)) or "oxlint"
    command = [program, "--config", TESTS / "oxlintrc.json", "--format", "unix", script]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


def test_nodes_own_runner_passes() -> None:
    files = sorted(TESTS.glob("*.test.mjs"))
    written = sum(path.read_text(encoding="utf-8").count("\ntest(") for path in files)
    command = [NODE, "--test", "--test-reporter=tap", *files]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert f"# pass {written}\n" in ran.stdout
    assert written > 0


def test_the_outline_on_the_screen_is_the_curve_that_is_filled() -> None:
    """Points on the browser's Bézier pieces are those on Python's curve at the same share of the way."""
    points = np.random.default_rng(3).uniform(0, 1, (7, 2))
    script = (
        f"import {{ functionsOf }} from {json.dumps((TESTS / 'component.mjs').as_uri())};"
        f"const {{ curve }} = functionsOf('outliner/outliner.js', 'curve');"
        f"console.log(curve({json.dumps(points.tolist())}));"
    )
    ran = subprocess.run(
        [NODE, "--input-type=module", "-e", script], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    start, *pieces = ran.stdout.strip().removeprefix("M").removesuffix("Z").split("C")
    at = np.array(start.split(","), dtype=float)
    drawn = []
    for piece in pieces:
        first, second, end = (np.array(pair.split(","), dtype=float) for pair in piece.split(" "))
        for way in np.arange(PIECES) / PIECES:
            back = 1 - way
            drawn.append(back**3 * at + 3 * back**2 * way * first + 3 * back * way**2 * second + way**3 * end)
        at = end
    assert_near(np.array(drawn), catmull_rom(points), share=1e-9)
