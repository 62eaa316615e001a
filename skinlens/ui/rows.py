"""What is said of the rows of the method's table, on the screen and in the documents alike."""

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
NOT_RUN = "not run"


def with_paper(rows: Sequence[Row]) -> bool:
    """Whether the paper's figures stand beside ours."""
    return any(row.get("paper_reports") for row in rows)


def told(rows: Sequence[Row]) -> tuple[list[Row], str]:
    """The rows of a table, and a sentence on the others. Where the paper's figures stand beside ours, a row that was
    not run and that the paper does not have would be empty on both sides.
    """
    if not with_paper(rows):
        return list(rows), ""
    shown = [row for row in rows if row["status"] != NOT_RUN or row.get("paper_reports")]
    others = [row["title"] for row in rows if row not in shown]
    return shown, f"Not run this way, and not in the paper: {'; '.join(others)}." if others else ""


def difference(one: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """One row against another on the same photos, and whether that is more than chance."""
    said = [
        f"{found['value']:+.3f} in {words} ({found['low']:+.3f} to {found['high']:+.3f}), "
        f"{'no clear difference' if found['low'] <= 0 <= found['high'] else 'more than chance'}"
        for key, words in (("balanced_accuracy", "balanced accuracy"), ("melanoma_auc", "melanoma AUC"))
        if (found := one["figures"].get(key))
    ]
    return f"{titles[one['of']]} against {titles[one['minus']]}: {'; '.join(said)}."
