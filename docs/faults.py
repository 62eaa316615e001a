"""Fault matrix of ``docs/reliability.md``: each fault, the sentence that SkinLens says of it and the tests that try it.

``cog`` calls ``matrix`` (``make docs``). The sentences are taken from the code by their first words, and a test that is
not there (any more) is an error: so the table says what the program says.
"""

import ast
from typing import NamedTuple

from figures import ROOT, table


class Fault(NamedTuple):
    """One row: where its sentence stands and begins, what becomes of the cases, and which tests try it."""

    name: str
    module: str
    begins: str
    outcome: str
    tests: tuple[str, ...]


FULL, TROUBLE = "tests/store/test_full_disk.py::", "tests/store/test_trouble.py::"
BACKUPS, SECRET = "tests/store/test_broken_backups.py::", "tests/store/test_encryption.py::"
DATABASE = "skinlens/store/database.py"
FAULTS = (
    Fault(
        "disk full while a case is saved", DATABASE, "the disk is full. Free some space and try again; no case",
        "nothing of the case is kept, all others are whole", (f"{FULL}test_a_case_that_cannot_be_saved",),
    ),
    Fault(
        "… while a map is stored", DATABASE, "the disk is full. Free some space and try again; nothing",
        "the map that was there stays", (f"{FULL}test_a_map_that_cannot_be_saved",),
    ),
    Fault(
        "… while a backup is written, encrypted or not", "skinlens/store/backup.py", "The backup cannot be",
        "nothing half is left on the stick or in the case folder",
        (f"{FULL}test_a_backup_that_cannot_be_written", f"{SECRET}test_a_full_stick_is_said_in_its_own_sentence"),
    ),
    Fault(
        "… while a case is deleted", DATABASE, "the disk is full. Free some space and try again; nothing",
        "a reserve makes room; where that is not enough, the case stays with its photo",
        (
            f"{TROUBLE}test_on_a_full_disk_deleting_makes_its_own_room",
            f"{TROUBLE}test_a_full_disk_that_stays_full_is_said_and_the_case_stays_with_its_photo",
        ),
    ),
    Fault(
        "read-only folder", DATABASE, "it can be read but not written", "cases are read and exported",
        (f"{TROUBLE}test_in_a_read_only_folder_cases_are_read_and_exported",),
    ),
    Fault(
        "database locked for long", DATABASE, "another program has been writing to it",
        "cases are read; the same save, done again, works", (f"{TROUBLE}test_a_database_that_is_locked_for_long",),
    ),
    Fault(
        "damaged page, found at a start", "skinlens/store/damage.py", "What can be read of it is shown",
        "opened to be read alone; the last backup is offered, and brings all back",
        (f"{BACKUPS}test_a_database_with_a_damaged_page_is_read_and_not_written_until_it_is_replaced",),
    ),
    Fault(
        "damaged row or index", "skinlens/store/mapping.py", "What the database holds",
        "what is damaged is not shown, all else is; never another case's data",
        (
            "tests/store/test_damage.py::test_a_changed_value_is_never_shown_and_the_other_cases_are",
            "tests/store/test_damage.py::test_a_damaged_index_leads_to_no_row_of_another_case",
            "tests/app/test_store_trouble.py::test_a_damaged_case_in_the_address_does_not_hold_the_other_pages",
        ),
    ),
    Fault(
        "database that cannot be opened at all", "skinlens/wording/records.py", "The last backup is of",
        "the backup, noted beside the database, brings all back",
        (f"{BACKUPS}test_a_database_that_cannot_be_opened_at_all_names_the_last_backup",),
    ),
    Fault(
        "database gone, photos there", "skinlens/store/connection.py", "The case database",
        "no empty one is begun in its place, no photo is moved",
        ("tests/app/test_store_trouble.py::test_a_start_on_an_emptied_database_keeps_all_photos_and_says_so",),
    ),
    Fault(
        "photo or map missing", "skinlens/store/blobs.py", "The file with {what} is missing",
        "the rest of the case opens, prints, exports and is erased",
        (
            "tests/app/test_store_trouble.py::test_a_case_without_its_photo_opens_exports_and_is_erased",
            "tests/store/test_upkeep.py::test_a_lost_photo_is_said_with_its_case",
        ),
    ),
    Fault(
        "disk of the case folder removed", DATABASE, "The case database {path} was there and is gone",
        "no empty case file is begun; connected again, all is there",
        (
            f"{BACKUPS}test_a_drive_that_is_removed_is_not_begun_anew",
            "tests/app/test_store_trouble.py::test_a_case_folder_that_goes_meanwhile_is_said_and_not_made_anew",
            "tests/exchange/test_dicom_listen.py::test_a_case_folder_that_goes_meanwhile_is_said_and_not_made_anew",
            "tests/api/test_stored.py::test_a_case_folder_that_goes_meanwhile_is_said_and_not_made_anew",
        ),
    ),
    Fault(
        "clock jumps back", "", "", "order of visits and log stay; nobody is kept out, sessions from the future end",
        (
            f"{BACKUPS}test_a_clock_that_jumps_back_changes_neither_order_nor_log",
            "tests/accounts/test_attempts.py::test_a_clock_that_is_set_back_keeps_nobody_out_and_nobody_in",
        ),
    ),
    Fault(
        "database of a newer SkinLens", DATABASE, "The case database in {path.parent} was written by a newer",
        "not touched", ("tests/store/test_migrations.py::test_a_database_from_the_future_is_left_alone",),
    ),
    Fault(
        "a changed, cut or foreign backup", "skinlens/store/archive.py", "{path} is not whole: its end",
        "refused; what is there stays",
        (
            f"{BACKUPS}test_whatever_changes_in_a_backup_there_is_one_sentence",
            f"{BACKUPS}test_a_broken_backup_changes_nothing_in_the_case_file",
            f"{SECRET}test_another_passphrase_or_none_changes_nothing",
        ),
    ),
    Fault(
        "backup or restore killed", "", "", "no file in the clear is left: it has no name; all else goes later",
        (
            f"{SECRET}test_no_file_with_a_name_holds_it_in_the_clear_while_it_is_made_or_opened",
            "tests/store/test_backup.py::test_what_a_killed_backup_left_beside_the_others_is_removed_by_the_next",
        ),
    ),
    Fault(
        "entry of the audit log changed, removed or inserted", "skinlens/store/audit_check.py", "Entry {number} of the",
        "found, with its number",
        ("tests/store/test_audit_chain.py::test_what_was_done_to_the_log_is_found_and_where",),
    ),
)  # fmt: skip


def matrix() -> str:
    """The table. Raises LookupError where a sentence or a test is not there."""
    rows = [[one.name, _sentence(one), one.outcome, "; ".join(map(_test, one.tests))] for one in FAULTS]
    return table(["fault", "sentence", "what becomes of the cases", "tried by"], rows)


def _sentence(of: Fault) -> str:
    """The first two sentences of the text in the code that begins with these words; what is put in stands as "…"."""
    if not of.module:
        return "none is needed"
    for node in ast.walk(ast.parse((ROOT / of.module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr | ast.Constant) and (text := _text(node)).startswith(of.begins):
            return f"“{'. '.join(_without_code(text).split('. ')[:2]).rstrip(' .')}.”"
    raise LookupError(f"{of.module} says nothing that begins with {of.begins!r}")


def _text(node: ast.JoinedStr | ast.Constant) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    parts = node.values
    return "".join(one.value if isinstance(one, ast.Constant) else f"{{{ast.unparse(one.value)}}}" for one in parts)  # type: ignore[attr-defined]


def _without_code(text: str) -> str:
    found = ""
    while text:
        before, opened, rest = text.partition("{")
        found += before + ("…" if opened else "")
        text = rest.partition("}")[2]
    return found


def _test(name: str) -> str:
    path, _, function = name.partition("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    if not any(isinstance(node, ast.FunctionDef) and node.name == function for node in ast.walk(tree)):
        raise LookupError(f"{path} has no {function}")
    return f"`{path.removeprefix('tests/')}`, {function.removeprefix('test_').replace('_', ' ')}"
