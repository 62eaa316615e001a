"""The container file: clean to hadolint, made from files that are there, and without rights when it runs."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def instructions(name: str) -> list[str]:
    return [line.removeprefix(f"{name} ") for line in LINES if line.startswith(f"{name} ")]


def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or "hadolint"
    found = subprocess.run([program, str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")


def test_what_is_copied_is_there_and_is_not_ignored() -> None:
    """The ignore file lets through what it names, and nothing else of the checkout: no case, run or data set."""
    ignored = [line for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    copied = {name for line in instructions("COPY") if "--from" not in line for name in line.split()[:-1]}
    assert ignored[0] == "*"
    assert {name.partition("/")[0] for name in let_through} == copied
    assert all((ROOT / name).exists() for name in let_through)


def test_it_runs_as_a_user_without_rights_and_tells_its_health() -> None:
    assert instructions("USER") == ["10001"]
    assert ["getresponse().status >= 500" in line for line in instructions("HEALTHCHECK")] == [True]
    assert re.search(r"SKINLENS_HOME=(\S+)", " ".join(instructions("ENV"))).group(1) == instructions("VOLUME")[0]  # type: ignore[union-attr]


def test_both_stages_are_of_one_image_and_uv_is_pinned() -> None:
    images = {line.split()[0] for line in instructions("FROM")}
    assert len(images) == 1
    assert not any(image.endswith(":latest") or ":" not in image for image in images)
    assert re.search(r"uv==\d+\.\d+\.\d+", " ".join(instructions("RUN")))
