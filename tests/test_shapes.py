"""The tests check shapes where arrays are named and types everywhere, each by the library that is asked."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from jaxtyping import TypeCheckError

import skinlens
from skinlens import metrics
from skinlens.formatting import percent
from tests import shapes
from tests.store import samples


def test_two_arrays_of_one_call_have_the_same_length() -> None:
    with pytest.raises(TypeCheckError):
        metrics.auc(np.zeros(3, bool), np.zeros(4))


def test_an_array_in_a_record_has_its_shape() -> None:
    made = samples.explanation(samples.photo())
    with pytest.raises(TypeCheckError):
        dataclasses.replace(made, heatmap=made.heatmap[0])


def test_a_module_without_arrays_is_checked_for_types() -> None:
    assert percent(1)
    with pytest.raises(TypeError, match="violates type hint"):
        percent("a half")  # type: ignore[arg-type]


def test_modules_that_name_arrays_by_an_alias_are_among_them(tmp_path: Path) -> None:
    folder = tmp_path / "made"
    (folder / "rooms").mkdir(parents=True)
    (folder / "__init__.py").write_text("", "utf-8")
    (folder / "kinds.py").write_text('from jaxtyping import Float\nMap = Float[Array, "h w"]\n', "utf-8")
    (folder / "rooms" / "__init__.py").write_text("from made.kinds import Map\n", "utf-8")
    (folder / "rooms" / "names.py").write_text("Mapping = 1\n", "utf-8")
    assert shapes.with_arrays(folder) == ["made.kinds", "made.rooms"]


def test_few_of_the_modules_hold_arrays() -> None:
    folder = Path(skinlens.__file__).parent
    assert {"skinlens.records", "skinlens.store.mapping"} <= set(found := shapes.with_arrays(folder))
    assert len(found) < len([*folder.rglob("*.py")]) / 2
