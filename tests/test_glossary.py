"""Names that the field's terms replaced stay replaced: in code, in tests, in recipes, and in what the code writes.

The reasons, and the names that were kept: ``docs/decisions/0038-one-catalog-of-wording.md``.
"""

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from skinlens import published_figures
from skinlens.inference import manifest_schema
from skinlens.store.checks import OLD_FIGURES
from skinlens.training.recipe import OLD_NAMES

ROOT = Path(__file__).parents[1]
_GONE = """
as_in_the_paper by_lesion Learner StudentLearner TeacherLearner WarmUpLearner BaselineLearner frozen_parts Teaching
draw_lesson Lesson lesson share_statistics sampling_power update_average average_decay taught_by made_with mean_of
round_weights PLACES FLOAT_LAYERS keep_float ModelStamp Familiarity fit_familiarity familiarity
predict_with_distance SetRule set_of floors calibration_half phantom take_apart Container draw_anew Evidence ahead
Heat heat heats heat_to_photo against AGAINST ONCE_IS_ENOUGH score_rows draw_rows paired_rows Focus Likeness
artefact artefacts artefact_stress Reduction hottest_region must_be_testable must_test must_surround must_explain
Seen labels_file Labelled abstention born_earlier clamped Desk desk desks desk_ _desk Holder KEPT_S kept_s stamp_of
stamp_columns with_paper gates_in_words Material Draws Line Areas DRAWING DRAWS Depth _Tally _refuse_mix_ups enclosed
Answers TRAITS keep_earlier LEAST_BETWEEN_SEEDS sweep scrub mark_pending promise distill METHOD_NAMES STATUS_NOTES
MELANOMA_SENSITIVITY delete_lesion to_check render_views degrade_views load_views
in_words map_in_words move_in_words value_in_words age_on cut_off own_refused inside_over_area
"""
GONE = tuple(_GONE.split())
"""Identifiers; a word that another thing rightly has (``answers``, ``details``, ``looks``) cannot be held like this."""
GONE_IN = {
    "checks": "walk Answer Made Task inside told trials",
    "evaluation": "answers ask foreign alike inside cut_offs",
    "explain": "settle settled trials looks steady region",
    "followup": "inside",
    "imaging": "inside",
    "inference": "SHIPPED verified stamp truth inside",
    "quantization": "ranges stamp truth views",
    "segmentation": "trace curve fill see",
    "store": "people",
    "ui": "settle alike cut_offs",
    "training": "Notes answers leads rate joined ALONE lesson see truth views draws details",
}
"""Folder of ``skinlens`` → names that were replaced there, and that another folder rightly has for another thing."""
KNOWN = "heatmap_to_photo"
"""One that is used."""
_MODULES = """
distill evaluate/ material learner teaching rounding weights phantom quantities refusals evidence ahead focus
stability artefacts depth libraries region answers labels_file foreign earlier gates sets abstention thresholds
randomised people entries rows home files trust measured card sanity sheets unsaved certainty
"""
MODULES = tuple(_MODULES.split())
"""Modules that have another name now. ``store/archive.py`` is a backup's archive, not the page of the cases."""
OTHERS = {"vendor"}
BRITISH = re.compile(
    r"colour|centre|tumour|fibre|[^a-z]metres?|millimetre|centerd|grey|behaviour|favour|licence|neighbour|labelled|modelled|artefact|catalogue"
    r"|analys(?:e|ed|er|ing)(?![a-z])"
    r"|(?:normal|random|organ|recogn|optim|initial|summar|serial|maxim|minim|token|visual|author|general|standard|quant"
    r"|final|synchron|pseudonym|anonym)is(?:e|ing|ation)",
    re.IGNORECASE,
)
"""Parts of names that are spelled otherwise in American English."""
EMPTY_NAMES = frozenset({"one", "found", "kept"})
"""Names that say nothing of what they hold: a variable or a parameter is named after the thing, by the field's term."""


@cache
def sources() -> tuple[Path, ...]:
    folders = ("skinlens", "tests", "benchmarks", "docs", "examples", "pages")
    found = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return tuple(path for path in found if not OTHERS.intersection(path.parts) and path != Path(__file__))


def names(path: Path) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
        if token.type == tokenize.NAME:
            yield token.string
        elif token.type == tokenize.STRING and re.match(r"[rR]?[fF]", token.string):
            for field in re.findall(r"\{([^{}]*)\}", token.string):
                yield from re.findall(r"(?<![\w'\"])[A-Za-z_]\w*(?![\w'\"])", field)


@cache
def used() -> dict[str, set[str]]:
    """Identifier → the files in which it stands, of those files that have one of ``GONE`` or ``KNOWN`` anywhere."""
    found: dict[str, set[str]] = {}
    asked_for = re.compile(rf"\b_?(?:{'|'.join((*GONE, KNOWN))})\b")
    for path in sources():
        if not asked_for.search(path.read_text(encoding="utf-8")):
            continue  # to take a file apart takes a hundred times as long
        for name in names(path):
            for spelled in {name, name.removeprefix("_")}:
                found.setdefault(spelled, set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_identifiers_are_found_also_within_formatted_texts(tmp_path: Path) -> None:
    path = tmp_path / "one.py"
    path.write_text("def f(row): return f\"{row.heat} {one['stamp']}\"\n", encoding="utf-8")
    assert {"row", "heat"} <= set(names(path))
    assert "stamp" not in set(names(path)), "a stored key is no name"
    assert KNOWN in used()


@pytest.mark.parametrize("name", GONE)
def test_no_identifier_has_a_name_that_was_replaced(name: str) -> None:
    assert used().get(name, set()) == set()


@pytest.mark.parametrize("folder", GONE_IN)
def test_no_folder_has_a_name_that_was_replaced_there(folder: str) -> None:
    replaced = re.compile(rf"\b(?:{'|'.join(GONE_IN[folder].split())})\b")
    assert (ROOT / "skinlens" / folder).is_dir()
    left = [
        f"{path.relative_to(ROOT).as_posix()}: {name}"
        for path in sources()
        if path.is_relative_to(ROOT / "skinlens" / folder) and replaced.search(path.read_text(encoding="utf-8"))
        for name in names(path)
        if replaced.fullmatch(name)
    ]
    assert left == []


def test_names_are_spelled_as_in_america() -> None:
    """“Cancelled” has two spellings there; asyncio's error has the longer one."""
    left = {
        f"{path.relative_to(ROOT).as_posix()}: {name}"
        for path in sources()
        if BRITISH.search(path.read_text(encoding="utf-8"))
        for name in names(path)
        if BRITISH.search(name)
    }
    assert left == set()
    assert {"recognise", "centerd", "_grey", "analysed"} == {
        name
        for name in ("recognise", "centerd", "_grey", "analysed", "analyses", "promise", "noise", "otherwise")
        if BRITISH.search(name)
    }


def bindings(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of each variable, parameter, field and ``match`` pattern that the code binds."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Name(id=str(name), ctx=ast.Store()) | ast.arg(arg=str(name)) | ast.MatchAs(name=str(name)):
                yield node.lineno, name


def test_each_way_to_bind_a_name_is_seen() -> None:
    source = """
def f(parameter, *rest, only=None, **others):
    variable = 1
    for loop in rest: pass
    with open("x") as handle: pass
    if (walrus := only): pass
    match others:
        case {"key": captured}: pass
    return lambda argument: [comprehension for comprehension in argument]
class C:
    field: int
"""
    bound = {name for _, name in bindings(source)}
    expected = "parameter rest only others variable loop handle walrus captured argument comprehension field"
    assert bound == set(expected.split())
    assert list(bindings("\nfound = kept.one")) == [(2, "found")]  # reading binds nothing


def test_no_variable_or_parameter_has_a_name_that_says_nothing() -> None:
    package = ROOT / "skinlens"
    places = [
        f"{path.relative_to(ROOT).as_posix()}:{line}: {name}"
        for path in sources()
        if path.is_relative_to(package)
        for line, name in bindings(path.read_text(encoding="utf-8"))
        if name in EMPTY_NAMES
    ]
    assert not places, "Name what each of these is:\n" + "\n".join(sorted(places))


def test_no_module_has_a_name_that_was_replaced() -> None:
    stems = {path.stem for path in sources() if path.is_relative_to(ROOT / "skinlens")}
    assert stems.isdisjoint(MODULES)
    tests = {path.stem.removeprefix("test_") for path in sources() if path.is_relative_to(ROOT / "tests")}
    assert tests & set(MODULES) == {"evidence", "foreign"}  # the script of the documents, and databases of others


def test_no_recipe_has_a_name_that_was_replaced() -> None:
    keys = re.compile(rf"^\s*({'|'.join(OLD_NAMES)})\s*=", re.MULTILINE)
    found = [path.name for path in sorted((ROOT / "recipes").rglob("*.toml")) if keys.search(path.read_text("utf-8"))]
    assert found == []


def test_no_published_or_stored_figure_is_asked_for_by_a_key_that_was_replaced() -> None:
    """A key in brackets, as in ``row["cut_off"]``; what earlier versions wrote is read under the present keys."""
    replaced = "|".join({*published_figures.OLD_KEYS, *OLD_FIGURES} - {"refused"})  # uploads are refused too
    asked = re.compile(rf"""\[["'](?:{replaced})["']\]""")
    readers = [path for path in sources() if not path.is_relative_to(ROOT / "tests")]
    assert [path.name for path in readers if asked.search(path.read_text(encoding="utf-8"))] == []


def test_a_new_release_is_written_under_the_present_keys(release: Path) -> None:
    written = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    assert manifest_schema.current(written) == written
    assert not set(OLD_NAMES) & {*written["recipe"], *written["recipe"]["distillation"]}
