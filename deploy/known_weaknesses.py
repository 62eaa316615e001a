"""Known weaknesses of the pinned packages, by pip-audit, from the database of PyPI or of OSV.

    python deploy/known_weaknesses.py        (needs ``pip install pip-audit`` and the network)

Exit status: 0 none is known; 1 some are; 2 it could not be asked.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
COMMAND = [sys.executable, "-m", "pip_audit", "--no-deps", "--disable-pip", "--progress-spinner", "off"]
_UNREACHABLE = re.compile(r"ConnectionError|ServiceError|Max retries|Temporary failure|HTTPError|Timeout|ProxyError")

_NOT_FOUND = "could not be audited"


def pinned(folder: Path) -> str:
    """All pinned packages, one a line."""
    text = "".join(
        (folder / name).read_text(encoding="utf-8")
        for name in ("requirements.txt", "requirements-ray.txt", "requirements-dev.txt")
    )
    return "\n".join(
        sorted({line.partition(";")[0].strip() for line in text.splitlines() if re.match(r"[\w.-]+==", line)})
    )


def verdict(status: int, said: str) -> tuple[int, str]:
    """Exit status, and what to say, from those of pip-audit."""
    if "No module named pip_audit" in said:
        return 2, "pip-audit is not installed. Say: python -m pip install pip-audit"
    if _UNREACHABLE.search(said):
        return 2, (
            "The database of known weaknesses cannot be reached: an answer of pypi.org or osv.dev was expected, none "
            "came. Nothing was checked. Run this where there is a network, or through its proxy (HTTPS_PROXY)."
        )
    if left_out := said.count(_NOT_FOUND):  # pip-audit's own status is 0 then
        return 2, (
            f"{left_out} of the packages are not in the database that answered: it is not the whole one, as where a "
            "mirror stands in for pypi.org. Nothing is known of them. Run this where pypi.org itself is reached."
        )
    if status == 0:
        return 0, "No weakness of a pinned package is known."
    return 1, f"{said.strip()}\nTake a version without it into requirements.txt, pyproject.toml and uv.lock."


def main() -> int:
    listed = ROOT / "artefacts" / "pinned.txt"
    listed.parent.mkdir(exist_ok=True)
    listed.write_text(pinned(ROOT) + "\n", encoding="utf-8")
    status, words = 2, ""
    for service in ("pypi", "osv"):
        done = subprocess.run([*COMMAND, "-r", str(listed), "-s", service], capture_output=True, text=True, check=False)
        status, words = verdict(done.returncode, done.stdout + done.stderr)
        if status != 2:
            break
    print(words, file=sys.stderr if status else sys.stdout)
    return status


if __name__ == "__main__":
    raise SystemExit(main())
