"""Text on the screen: escaping, signs of the risk groups, and lines that only pages show."""

import re
from collections.abc import Mapping

from skinlens.formatting import number
from skinlens.labels import Risk
from skinlens.store import CaseRow
from skinlens.wording.naming import open_recall_words

RISK_SIGNS: dict[Risk, str] = {"malignant": "▲", "pre-malignant": "◆", "benign": "●"}
"""A shape for each risk group, so that it is never told by color alone."""


def plain(text: object) -> str:
    """A text whose signs are shown as they are: what a person typed must not become markup, least of all a picture
    that the browser would fetch from elsewhere.
    """
    escaped = re.sub(r"([\\`*_{}\[\]()<>#+\-.!|~$:^=&])", r"\\\1", str(text))
    # An address is made a link after the escapes are taken out: a word joiner, which is not seen, parts it.
    return re.sub(r"(?i)(:(?=//)|www(?=\\\.)|@)", "\\1\u2060", escaped)


def recall_words(row: CaseRow, day: str) -> str:
    """An open recall, and whether it is due on ``day`` (ISO date); empty where there is none."""
    return "" if row.recall_done_on else open_recall_words(row.recall_on, day)


def settings_line(params: Mapping[str, int | float | str], titles: Mapping[str, str]) -> str:
    """Line of a map's settings; the seed has a line of its own."""
    parts = [
        f"{titles.get(key, key)} {number(value) if isinstance(value, float) else value}"
        for key, value in params.items()
        if key != "seed"
    ]
    return ", ".join(parts) or "nothing to set"
