"""Case search: a ``CaseQuery`` becomes one SELECT, its rows become ``CaseRow`` records."""

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from skinlens.clinical import PlanAction
from skinlens.labels import CODES, LABELS
from skinlens.records import Status
from skinlens.store.mapping import ALL_SOUND, CASE_TABLES, PROB_COLUMNS, Row, is_number, quality_of
from skinlens.store.search_tokens import searchable

SortKey = Literal["date", "melanoma", "patient", "top", "recall"]

MAX_WORDS = 32
"""Words of one free-text query; further ones are left out. FTS5 limits the size of its expressions."""
MAX_CHARACTERS = 1_000

_Keys = tuple[tuple[str, str], ...]
"""Expressions that rows are sorted by, each with ASC or DESC, or with {way} for the one that is asked for."""

_NEWEST = (("v.taken_on", "DESC"), ("v.id", "DESC"))
# Each ends in the number, so that no two rows are level, and pages never overlap.
_ORDER: dict[SortKey, _Keys] = {
    "date": (("v.taken_on", "{way}"), ("v.id", "{way}")),
    "melanoma": (("v.prob_mel", "{way}"), *_NEWEST),
    "patient": (("(p.pseudonym IS NULL)", "ASC"), ("p.pseudonym COLLATE NOCASE", "{way}"), *_NEWEST),
    "top": (("v.top_label", "{way}"), *_NEWEST),
    "recall": (("(v.recall_on IS NULL)", "ASC"), ("v.recall_on", "{way}"), *_NEWEST),
}


@dataclass(frozen=True)
class CaseQuery:
    """Query of the case list. Every condition that is given has to hold."""

    text: str = ""
    """Words of which each has to begin some word of the pseudonym, site, diagnosis or notes; no syntax, any characters.
    Case and accents do not count. A word of the clinician's class, or of a synonym of it, is found as well."""
    patient: str = ""
    """Words as of ``text``, in the pseudonym alone; the whole pseudonym finds its patient whatever signs it consists
    of.
    """
    body_site: str | None = None
    taken_from: str | None = None
    """ISO date, included."""
    taken_until: str | None = None
    """ISO date, included."""
    top_label: str | None = None
    prob_of: str | None = None
    """Class code to which ``min_prob`` applies."""
    min_prob: float = 0.0
    clinician_label: str | None = None
    status: Status | None = None
    """``draft``: what is not signed yet."""
    sort: SortKey = "date"
    descending: bool = True
    limit: int = 24
    offset: int = 0
    above_cutoff: bool | None = None
    """Whether the model flags melanoma, at the cut-off that was stored with the prediction."""
    reliable: bool | None = None
    """As ``QualityReport.reliable``."""
    recall_due_on: str | None = None
    """ISO date: recalls that are open and whose date has come by then."""
    patient_id: int | None = None
    lesion_id: int | None = None
    after: int | None = None
    """Only what comes after this case in the order, whether or not the case itself still fulfils the conditions: so a
    list goes on where it was although rows have left it since. A case that is gone lets every row through."""


EVERY_CASE = CaseQuery()


@dataclass(frozen=True)
class CaseRow:
    """One line of the list of cases."""

    visit_id: int
    lesion_id: int
    patient_id: int | None
    pseudonym: str | None
    body_site: str
    remark: str
    """Remark on which lesion it is at that site."""
    taken_on: str
    top_label: str
    top_prob: float
    melanoma_prob: float
    clinician_label: str | None
    status: Status
    updated_at: str
    reliable: bool = True
    """As ``QualityReport.reliable``."""
    above_cutoff: bool = False
    """As ``Prediction.above_melanoma_threshold``."""
    plan: PlanAction | None = None
    recall_on: str | None = None
    recall_done_on: str | None = None
    histology: str | None = None
    """Diagnosis code of it."""


@dataclass(frozen=True)
class CasePage:
    """The rows from ``offset`` on, at most ``limit`` of them, and how many there are in all."""

    rows: tuple[CaseRow, ...]
    total: int
    offset: int
    problems: tuple[str, ...] = ()
    """A sentence for each row that is damaged and left out."""


_JOINED = "visit v JOIN lesion l ON l.id = v.lesion_id LEFT JOIN patient p ON p.id = l.patient_id"
_ROWS_SQL = f"""
    SELECT v.id, v.lesion_id, l.patient_id, p.pseudonym, l.body_site, l.remark, v.taken_on, v.top_label,
        {", ".join(f"v.{column}" for column in PROB_COLUMNS.values())},
        v.clinician_label, v.status, v.updated_at, v.quality,
        v.above_cutoff, v.plan, v.recall_on, v.recall_done_on, v.histology,
        {ALL_SOUND} AS sound, v.photo_sha256
    FROM {CASE_TABLES}"""
SAME_PHOTO_SQL = f"{_ROWS_SQL} WHERE v.photo_sha256 = ? ORDER BY v.taken_on DESC, v.id DESC"
"""SELECT of all cases that hold a photo; its rows go to ``case_row_of``."""


def page_sql(query: CaseQuery, place: Sequence[object] | None = None) -> tuple[str, dict[str, Any]]:
    """SELECT of the page; its rows go to ``case_row_of``. ``place``: that of the case that it begins after."""
    ids, parameters = ids_sql(query, place)
    # The rows of one page alone are read whole, and their seals checked.
    return f"{_ROWS_SQL} WHERE v.id IN ({ids}) ORDER BY {_order_by(_keys(query))}", parameters


def ids_sql(query: CaseQuery, place: Sequence[object] | None = None) -> tuple[str, dict[str, Any]]:
    """SELECT of the numbers of a page."""
    where, parameters = _where(query)
    keys = _keys(query)
    if place is not None:
        beyond, values = _beyond(keys, place)
        where = f"{where} AND {beyond}" if where else f"WHERE {beyond}"
        parameters |= values
    sql = f"SELECT v.id FROM {_tables(query)} {where} ORDER BY {_order_by(keys)} LIMIT :limit OFFSET :offset"
    return sql, parameters | {"limit": max(0, min(query.limit, 10_000)), "offset": offset_of(query)}


def place_sql(query: CaseQuery) -> str:
    """SELECT of a case's place in the order of the query: what it is sorted by. Its parameter is the number."""
    listed = ", ".join(f"{expression} AS key_{number}" for number, (expression, _) in enumerate(_keys(query)))
    return f"SELECT {listed} FROM {_JOINED} WHERE v.id = ?"


def total_sql(query: CaseQuery) -> tuple[str, dict[str, Any]]:
    """Query for the number of all cases that fulfill the conditions, wherever the page begins."""
    where, parameters = _where(query)
    return f"SELECT count(*) AS total FROM visit v {where}", parameters


def _keys(query: CaseQuery) -> _Keys:
    way = "DESC" if query.descending else "ASC"
    return tuple((expression, direction.format(way=way)) for expression, direction in _ORDER[query.sort])


def _order_by(keys: _Keys) -> str:
    return ", ".join(f"{expression} {direction}" for expression, direction in keys)


def _tables(query: CaseQuery) -> str:
    """Conditions are on the visit alone; to join its patient takes a look at each row."""
    return _JOINED if query.sort == "patient" else "visit v"


def _beyond(keys: _Keys, place: Sequence[object]) -> tuple[str, dict[str, Any]]:
    """The condition that a row comes after a place, in the order of the keys: level in some, then beyond in the next.

    The bound on the first key says nothing new, but an index can be searched by it.
    """
    values = {f"place_{number}": value for number, value in enumerate(place)}
    ways = []
    for number, (expression, direction) in enumerate(keys):
        level = [f"{earlier} IS :place_{position}" for position, (earlier, _) in enumerate(keys[:number])]
        ways.append(" AND ".join([*level, f"{expression} {'<' if direction == 'DESC' else '>'} :place_{number}"]))
    expression, direction = keys[0]
    bound = f"{expression} {'<=' if direction == 'DESC' else '>='} :place_0"
    return f"{bound} AND (({') OR ('.join(ways)}))", values


def offset_of(query: CaseQuery) -> int:
    return max(0, min(query.offset, 2**62))


def case_row_of(row: Row) -> CaseRow:
    return CaseRow(
        visit_id=row["id"],
        lesion_id=row["lesion_id"],
        patient_id=row["patient_id"],
        pseudonym=row["pseudonym"],
        body_site=row["body_site"],
        remark=row["remark"],
        taken_on=row["taken_on"],
        top_label=row["top_label"],
        top_prob=row[PROB_COLUMNS[row["top_label"]]],
        melanoma_prob=row["prob_mel"],
        clinician_label=row["clinician_label"],
        status=row["status"],
        updated_at=row["updated_at"],
        reliable=quality_of(row).reliable,
        above_cutoff=bool(row["above_cutoff"]),
        plan=row["plan"],
        recall_on=row["recall_on"],
        recall_done_on=row["recall_done_on"],
        histology=row["histology"],
    )


def fts_words(typed: str) -> str:
    """An FTS5 query for rows that hold, for each word typed, a word that begins with it.

    Each word is a quoted FTS5 string, in which nothing but the doubled quotation mark is syntax. A word of signs alone
    has no part in the search. NUL would end the query early; halves of surrogate pairs have no UTF-8.
    """
    return " ".join(map(_fts_word, _words(typed)))


def _words(typed: str) -> list[str]:
    return _storable(typed[:MAX_CHARACTERS]).split()[:MAX_WORDS]


def _fts_word(word: str) -> str:
    return '"' + " ".join(searchable(word).split()).replace('"', '""') + '"*'


def _codes_named(word: str) -> list[str]:
    """The classes in whose name or synonyms some word begins with this one, of three letters or more."""
    begin = searchable(word).strip()
    if len(begin) < 3:
        return []
    return [code for code, named in _words_of_classes() if any(word.startswith(begin) for word in named)]


@cache
def _words_of_classes() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Code and words of each class."""
    named = ((label.code, " ".join((label.name, *label.synonyms))) for label in LABELS)
    return tuple((code, tuple(re.split(r"[^\w']+", searchable(words)))) for code, words in named)


def _storable(typed: str) -> str:
    return typed.replace("\0", " ").encode("utf-8", "ignore").decode("utf-8")


def _where(query: CaseQuery) -> tuple[str, dict[str, Any]]:
    conditions: list[str] = []
    parameters: dict[str, Any] = {}

    def require(condition: str, **values: Any) -> None:
        conditions.append(condition)
        parameters.update(
            (name, _storable(value) if isinstance(value, str) else value) for name, value in values.items()
        )

    matching = "SELECT rowid FROM visit_text WHERE visit_text MATCH"
    plain = []
    for number, word in enumerate(_words(query.text)):
        if codes := _codes_named(word):  # it may be meant for the diagnosis, which is kept as a code
            listed = ", ".join(f"'{code}'" for code in codes)
            condition = f"(v.clinician_label IN ({listed}) OR v.id IN ({matching} :word_{number}))"
            require(condition, **{f"word_{number}": _fts_word(word)})
        else:
            plain.append(_fts_word(word))
    if plain:
        require(f"v.id IN ({matching} :text)", text=" ".join(plain))
    if words := fts_words(query.patient):
        exact = unicodedata.normalize("NFC", query.patient).strip()
        # One list of numbers, from two indexes: an OR over the joined tables would look at every case.
        named = "SELECT v.id FROM visit v JOIN lesion l ON l.id = v.lesion_id JOIN patient p ON p.id = l.patient_id"
        require(
            f"v.id IN ({matching} :words UNION {named} WHERE p.pseudonym = :patient)",
            patient=exact,
            words=f"pseudonym : ({words})",
        )
    if query.body_site is not None:
        require("v.lesion_id IN (SELECT id FROM lesion WHERE body_site = :site)", site=query.body_site)
    if query.taken_from is not None:
        require("v.taken_on >= :first", first=query.taken_from)
    if query.taken_until is not None:
        require("v.taken_on <= :last", last=query.taken_until)
    if query.top_label is not None:
        require("v.top_label = :top", top=query.top_label)
    if query.prob_of in CODES:
        require(f"v.{PROB_COLUMNS[query.prob_of]} >= :prob", prob=float(query.min_prob))
    if query.clinician_label is not None:
        require("v.clinician_label = :clinician", clinician=query.clinician_label)
    if query.status is not None:
        require("v.status = :status", status=query.status)
    _require_worklist(query, require)
    return ("WHERE " + " AND ".join(conditions) if conditions else ""), parameters


def _require_worklist(query: CaseQuery, require: Callable[..., None]) -> None:
    """Flags stand in the text, not as parameters: an index on part of the rows is used for such a condition alone."""
    if query.above_cutoff is not None:
        require(f"v.above_cutoff = {int(query.above_cutoff)}")
    if query.reliable is not None:
        require(f"v.reliable = {int(query.reliable)}")
    if query.recall_due_on is not None:
        require("v.recall_on IS NOT NULL AND v.recall_done_on IS NULL AND v.recall_on <= :due", due=query.recall_due_on)
    if query.patient_id is not None:
        require("v.lesion_id IN (SELECT id FROM lesion WHERE patient_id = :owner)", owner=_number(query.patient_id))
    if query.lesion_id is not None:
        require("v.lesion_id = :lesion", lesion=_number(query.lesion_id))


def _number(number: int) -> int:
    """One that SQLite can hold; no row has the number -1."""
    return number if is_number(number) else -1
