"""Loading of files: no file that SkinLens opens can run code."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = [
    path
    for folder in ("skinlens", "pages", "docs", "deploy", "benchmarks", "tests", "examples")
    for path in sorted((ROOT / folder).rglob("*.py"))
]
MUST_SAY = {("torch", "load"): ("weights_only", True), ("np", "load"): ("allow_pickle", False)}
RUN_CODE = {"dill", "jsonpickle", "joblib", "marshal", "shelve", "cloudpickle"}
BETWEEN_OWN_PROCESSES = {
    *("batch/reader.py", "batch/readers.py", "batch/on_ray.py"),
    *("checks/reference.py", "checks/reference_worker.py"),
}
"""Of skinlens/: they read pickles from a process that SkinLens started, here or on a node of the Ray cluster that was
named, never from a file."""


def unsafe(source: str) -> Iterator[str]:
    """What in a source loads a file in a way in which the file could run code."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            named = [one.name for one in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            yield from (f"import {name}" for name in named if name.partition(".")[0] in RUN_CODE)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        owner = node.func.value.id if isinstance(node.func.value, ast.Name) else ""
        expected = MUST_SAY.get(({"numpy": "np"}.get(owner, owner), node.func.attr))
        said = {one.arg: one.value.value for one in node.keywords if isinstance(one.value, ast.Constant)}
        if expected and said.get(expected[0]) is not expected[1]:
            yield f"{owner}.{node.func.attr} without {expected[0]}={expected[1]} in line {node.lineno}"
        if owner == "pickle" and node.func.attr in ("load", "loads", "Unpickler"):
            yield f"pickle in line {node.lineno}"


def test_no_file_that_is_loaded_can_run_code() -> None:
    own = {ROOT / "skinlens" / name for name in BETWEEN_OWN_PROCESSES}
    found = {str(path.relative_to(ROOT)): [*unsafe(path.read_text("utf-8"))] for path in SOURCES if path not in own}
    assert {path: what for path, what in found.items() if what and not path.startswith("tests/")} == {}
    loads = {path: [one for one in what if "without" in one] for path, what in found.items()}
    assert {path: what for path, what in loads.items() if what} == {}
    assert len(found) > 300


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("torch.load(path)", ["torch.load without weights_only=True in line 1"]),
        ("torch.load(path, weights_only=False)", ["torch.load without weights_only=True in line 1"]),
        ("torch.load(path, weights_only=True)", []),
        ("numpy.load(path)", ["numpy.load without allow_pickle=False in line 1"]),
        ("np.load(path, allow_pickle=given)", ["np.load without allow_pickle=False in line 1"]),
        ("np.load(path, allow_pickle=False)", []),
        ("import joblib", ["import joblib"]),
        ("from dill import load", ["import dill"]),
        ("pickle.loads(data)", ["pickle in line 1"]),
    ],
)
def test_what_could_run_code_is_found(source: str, what: list[str]) -> None:
    assert list(unsafe(source)) == what
