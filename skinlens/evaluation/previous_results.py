"""Previous ablation results whose runs are on another computer, merged into the table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from skinlens.errors import DatasetError
from skinlens.evaluation.ablation_rows import COMPARED, RELEASED
from skinlens.terminal import Say

OF_RELEASE = frozenset(row.name for row in RELEASED)
SAME = 1e-9
"""Figures that differ by no more are the same."""
FIRST_DETAIL_PX = 150
"""Of the photos of rows that were measured before a row said it."""


def read_previous_results(path: Path) -> dict[str, Any]:
    """A table that ``python -m skinlens ablation --json FILE`` wrote.

    Raises:
        DatasetError: the file cannot be read, or holds something else.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        why = ""
    except (OSError, ValueError, RecursionError) as problem:
        content, why = None, f" ({problem})"
    match content:
        case {
            "protocols": {"lesion": {"rows": [*rows]}, "paper": {"rows": [*leaky]}},
            "bootstrap": dict(),
            "created_at": str(),
        } if all(isinstance(row, dict) and {"name", "status", "figures"} <= set(row) for row in (*rows, *leaky)):
            return dict(content)
    held = f"the keys {', '.join(content) or 'of an empty object'}" if isinstance(content, dict) else "no JSON object"
    raise DatasetError(
        f"{path} is there and holds no table of earlier runs: expected one that --json wrote, found {held}{why}. Name "
        "another file, or begin anew with --anew, which replaces it."
    )


def merge_previous_results(result: dict[str, Any], previous: dict[str, Any], say: Say) -> None:
    """Put into ``result``, in place, what ``previous`` has measured and ``result`` has not.

    What is measured of the released model itself is never taken over: it was another release then. Both are tables as
    :func:`skinlens.evaluation.ablation.ablation` makes them. Each row says when it was measured. A
    difference is kept only while the figures of both of its rows are the ones that it was made from. Rows on photos of
    another detail than the released model's are left out, but for recipes that ``previous`` has under both protocols:
    these are compared with themselves alone, to say what the leak is worth.

    Raises
    ------
    DatasetError
        ``previous`` was measured on other photos or with other resamples.
    """
    if result["bootstrap"] != previous["bootstrap"]:
        raise _other("intervals made as now", result["bootstrap"], previous["bootstrap"])
    measured = {
        name: {row["name"]: row for row in protocol["rows"] if row["status"] == "measured"}
        for name, protocol in previous["protocols"].items()
    }
    both = set.intersection(*(set(rows) for rows in measured.values()))
    for name, protocol in result["protocols"].items():
        before, details = previous["protocols"][name], released_detail(result)
        known = {
            row_name: row
            for row_name, row in measured[name].items()
            if row_name in both or details in {None, row.get("detail_px", FIRST_DETAIL_PX)}
        }
        now = {row["n"] for row in protocol["rows"] if row["status"] == "measured"}
        then = {row["n"] for row in known.values()}
        if len(now | then) > 1:
            raise _other(f"as many photos as now ({name})", sorted(now), sorted(then))
        for row in protocol["rows"]:
            if row["status"] == "not run" and row["name"] in known and row["name"] not in OF_RELEASE:
                row |= known[row["name"]] | {"title": row["title"]}
                row.setdefault("measured_at", previous["created_at"])
                say(f"{row['title']}: no run here, kept as measured on {row['measured_at']}")
        _keep_differences(protocol, before, known)
    result["search"] = result["search"] or previous.get("search")


def released_detail(result: Mapping[str, Any]) -> int | None:
    """Short side in pixels that the released model's photos are brought to; None for a table without its row."""
    rows = result["protocols"]["lesion"]["rows"]
    return next((row.get("detail_px") for row in rows if row["name"] == "int8"), None)


def _keep_differences(protocol: dict[str, Any], before: dict[str, Any], known: dict[str, dict[str, Any]]) -> None:
    now = {row["name"]: row["figures"] for row in protocol["rows"]}
    made = {(difference["of"], difference["minus"]) for difference in protocol.get("differences", [])}
    for difference in before.get("differences", []):
        sides = (difference["of"], difference["minus"])
        if (
            sides in COMPARED
            and sides not in made
            and all(side in known and _same(known[side]["figures"], now.get(side, {})) for side in sides)
        ):
            protocol["differences"].append(difference)


def _same(figures: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Equal but for the last digits, in which two runs of one computation differ."""
    return figures.keys() == other.keys() and all(
        figures[key].keys() == other[key].keys()
        and np.allclose(
            np.array(list(figures[key].values()), float),
            np.array([other[key][name] for name in figures[key]], float),
            rtol=0,
            atol=SAME,
            equal_nan=True,
        )
        for key in figures
    )


def _other(expected: str, now: object, then: object) -> DatasetError:
    return DatasetError(
        f"the earlier table: expected {expected}, {now}; found {then}. Name another file, or begin anew with --anew."
    )
