"""Keys that earlier versions wrote under another name, in recipes, evaluations and stored figures."""

from collections.abc import Mapping
from typing import Any


def with_present_keys(written: Mapping[str, Any], now: Mapping[str, str]) -> dict[str, Any]:
    """One table under the present names of its keys, whichever version wrote it; ``now``: earlier name → present."""
    return {now.get(key, key): value for key, value in written.items()}
