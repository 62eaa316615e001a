"""Bill of materials in CycloneDX 1.6, and the list of licences: of every package that SkinLens is installed with.

Names, versions and hashes come from ``uv.lock``, licences from the installed packages: nothing is asked of the network.

    python deploy/sbom.py artefacts/
"""

import argparse
import importlib.metadata
import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from skinlens.csv_table import csv_table
from skinlens.labels import DISCLAIMER

ROOT = Path(__file__).parents[1]
SBOM, LICENSES = "skinlens.cdx.json", "licences.csv"
NOT_STATED = "not stated by the package"
_MOST_LETTERS = 80
"""Of a licence in one line; some packages put the whole text there."""
Package = Mapping[str, Any]


def locked() -> dict[str, Package]:
    """Packages of ``uv.lock`` by name."""
    content = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    return {one["name"]: one for one in content["package"]}


def required(packages: Mapping[str, Package], extra: str = "") -> dict[str, Package]:
    """Packages that an installation for serving needs, directly and through others; with those of an extra too."""
    own = packages["skinlens"]
    waiting = [*own["dependencies"], *own.get("optional-dependencies", {}).get(extra, ())]
    found: dict[str, Package] = {}
    while waiting:
        name = waiting.pop()["name"]
        if name not in found and name != "skinlens":
            found[name] = packages[name]
            waiting += packages[name].get("dependencies", ())
    return dict(sorted(found.items()))


def license_of(name: str) -> str:
    """License as the installed package states it."""
    try:
        said = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed here"
    if expression := said.get("License-Expression"):
        return str(expression)
    classes = [one.rpartition(" :: ")[2] for one in said.get_all("Classifier") or () if one.startswith("License ::")]
    text = (said.get("License") or "").strip()
    return "; ".join(classes) or (text if text and len(text) <= _MOST_LETTERS else NOT_STATED)


def sbom(packages: Mapping[str, Package], used: Iterable[str]) -> dict[str, Any]:
    """The bill of materials of these packages."""
    own, names = packages["skinlens"], sorted(used)
    root = f"skinlens@{own['version']}"
    direct = sorted({one["name"] for one in own["dependencies"]} & set(names))
    graph = [{"ref": root, "dependsOn": [_purl(packages[name]) for name in direct]}]
    for name in names:
        needed = sorted({one["name"] for one in packages[name].get("dependencies", ())} & set(names))
        graph.append({"ref": _purl(packages[name]), "dependsOn": [_purl(packages[one]) for one in needed]})
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
            "component": {"type": "application", "bom-ref": root, "name": "skinlens", "version": own["version"]},
            "properties": [{"name": "skinlens:disclaimer", "value": DISCLAIMER}],
        },
        "components": [_component(packages[name]) for name in names],
        "dependencies": graph,
    }


def _purl(package: Package) -> str:
    return f"pkg:pypi/{package['name']}@{package['version']}"


def _component(package: Package) -> dict[str, Any]:
    files = [*package.get("wheels", ()), *filter(None, [package.get("sdist")])]
    return {
        "type": "library",
        "bom-ref": _purl(package),
        "name": package["name"],
        "version": package["version"],
        "purl": _purl(package),
        "licenses": [_license(license_of(package["name"]))],
        "externalReferences": [
            {
                "type": "distribution",
                "url": file["url"],
                "hashes": [{"alg": "SHA-256", "content": file["hash"].removeprefix("sha256:")}],
            }
            for file in files
        ],
    }


def _license(said: str) -> dict[str, Any]:
    """An expression where it is one of SPDX, otherwise a name."""
    is_expression = re.fullmatch(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)+", said)
    return {"expression": said} if is_expression else {"license": {"name": said}}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--extra", default="", choices=["", "reference", "train"])
    given = parser.parse_args()
    packages = locked()
    used = required(packages, given.extra)
    given.folder.mkdir(parents=True, exist_ok=True)
    (given.folder / SBOM).write_text(json.dumps(sbom(packages, used), indent=2) + "\n", encoding="utf-8")
    rows = [(name, one["version"], license_of(name)) for name, one in used.items()]
    (given.folder / LICENSES).write_bytes(csv_table(("package", "version", "licence"), [*rows, (DISCLAIMER, "", "")]))
    print(f"{given.folder / SBOM} and {given.folder / LICENSES}: {len(used)} packages.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
