"""Rights: each public method of the store asks for one, and a role that has it not changes nothing."""

import inspect
from pathlib import Path
from typing import get_args

import pytest

from skinlens.errors import NotAllowed
from skinlens.records import Case
from skinlens.roles import ROLES, Right, Role, described, may
from skinlens.settings import Settings
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit, rights
from skinlens.wording import audit
from tests.store import samples
from tests.store.conftest import SaveCase
from tests.store.edits import edit


def of_role(store: CaseStore, role: Role) -> CaseStore:
    return CaseStore(store.home, actor="Dr. Lange", role=role)


def test_every_public_method_is_in_one_list() -> None:
    public = {name for name, _ in inspect.getmembers(CaseStore, inspect.isfunction) if not name.startswith("_")}
    assert public == set(rights.NEEDED) | rights.READING
    assert not set(rights.NEEDED) & rights.READING


def test_whatever_writes_is_not_in_the_list_of_what_reads() -> None:
    writing = {
        name
        for name in rights.READING
        if any(word in inspect.getsource(getattr(CaseStore, name)) for word in ("_writing", "_erase", ".write("))
    }
    assert writing == set()


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("viewer", {"read"}),
        ("reader", {"read", "file", "export"}),
        ("reviewer", {"read", "file", "export", "sign", "amend", "move"}),
        ("admin", set(get_args(Right))),
    ],
)
def test_what_each_role_may(role: Role, allowed: set[Right]) -> None:
    assert {right for right in get_args(Right) if may(role, right)} == allowed


@pytest.mark.parametrize(
    ("role", "name"),
    [(role, name) for role in ROLES for name, right in sorted(rights.NEEDED.items()) if not may(role, right)],
)
def test_a_method_is_refused_before_it_looks_at_anything(tmp_path: Path, role: Role, name: str) -> None:
    """Not even at whether its arguments are there."""
    store = CaseStore(tmp_path / "home", actor="Dr. Lange", role=role)
    with pytest.raises(NotAllowed, match=f"Your role, {role}, does not allow you to"):
        getattr(store, name)()
    assert not (tmp_path / "home").exists()


def new_visit(status: str = "draft") -> NewVisit:
    label = "nv" if status == "signed" else None
    return NewVisit(
        NewPatient("P-0009", 1960, "female"),
        NewLesion("back"),
        "2024-05-31",
        ClinicianReading(label, "", ""),
        status=status,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize("role", ["boss", "", "Admin"])
def test_a_role_that_is_not_known_may_nothing(role: str) -> None:
    assert not any(may(role, right) for right in get_args(Right))
    assert described(role) == f"The role {role!r} is unknown to this version of SkinLens and has no rights."


def test_a_reader_files_a_draft_and_signs_none(store: CaseStore) -> None:
    reader = of_role(store, "reader")
    with pytest.raises(NotAllowed, match="sign a case"):
        reader.save_case(samples.analysis(samples.photo()), new_visit("signed"))
    assert store.search().total == 0
    filed = reader.save_case(samples.analysis(samples.photo()), new_visit())
    version = filed.visit.version
    with pytest.raises(NotAllowed, match="Ask a reviewer or an admin"):
        reader.annotate(filed.visit.id, ClinicianReading("nv", "", ""), status="signed", expected_version=version)
    edited = reader.annotate(
        filed.visit.id, ClinicianReading("nv", "", "a note"), status="draft", expected_version=version
    )
    assert (edited.visit.status, edited.visit.notes) == ("draft", "a note")


def test_what_was_signed_is_a_reviewers_to_change(store: CaseStore, save: SaveCase) -> None:
    signed: Case = save(0, status="signed")
    number, version = signed.visit.id, signed.visit.version
    for change in (
        lambda store: edit(store, number, field_width_mm=20.0, expected_version=version),
        lambda store: store.annotate(
            number, ClinicianReading("mel", "", ""), status="amended", expected_version=version
        ),
        lambda store: store.move_case(number, patient=None, lesion=NewLesion("scalp"), expected_version=version),
    ):
        with pytest.raises(NotAllowed):
            change(of_role(store, "reader"))
    assert store.case(number) == signed
    amended = edit(of_role(store, "reviewer"), number, field_width_mm=20.0, expected_version=version)
    assert amended.visit.status == "amended"
    with pytest.raises(NotAllowed, match="delete a case"):
        of_role(store, "reviewer").delete_visit(number)
    of_role(store, "admin").delete_visit(number)
    assert not store.exists(number)


def test_what_a_role_is_refused_is_in_the_audit_log(store: CaseStore, save: SaveCase) -> None:
    """Who, what and of which case, in an entry of the chain; the refused step itself leaves nothing."""
    signed = save(0, status="signed")
    number, version, before = signed.visit.id, signed.visit.version, store.audit_head().entries
    viewer, reader = of_role(store, "viewer"), of_role(store, "reader")
    for refused in (
        lambda: viewer.add_checks(number, []),
        lambda: viewer.delete_patient(patient_id=1),
        lambda: viewer.keep_settings(Settings(clinic_name="Mine"), read=Settings()),
        lambda: viewer.delete_visit(2**70),
        lambda: reader.save_case(samples.analysis(samples.photo()), new_visit("signed")),
        # Refused in the middle of a transaction, which is rolled back first.
        lambda: reader.annotate(number, ClinicianReading("mel"), status="amended", expected_version=version),
        lambda: reader.must_be_allowed("settings"),
    ):
        with pytest.raises(NotAllowed, match=r"^Your role, (viewer|reader), does not allow you to .*\. Ask an? .*\.$"):
            refused()
    noted = store.audit_entries()[before:]
    assert {one.actor for one in noted} == {"Dr. Lange"}
    assert [(audit.done(one.kind, one.action), one.kind, one.object_number) for one in noted] == [
        ("Not allowed by the role: upload, file or edit drafts", "visit", number),
        ("Not allowed by the role: delete a case or a patient", "patient", 1),
        ("Not allowed by the role: change settings of the clinic", "store", None),
        ("Not allowed by the role: delete a case or a patient", "store", None),
        ("Not allowed by the role: sign a case", "store", None),
        ("Not allowed by the role: change a signed case", "visit", number),
        ("Not allowed by the role: change settings of the clinic", "store", None),
    ]
    assert noted[0].model_sha256 == signed.visit.prediction.model.sha256
    assert store.verify_audit().problems == ()
    assert store.search().total == 1


def test_a_refusal_that_cannot_be_noted_is_one_and_says_so(store: CaseStore, save: SaveCase) -> None:
    save(0)
    store.closed.touch()  # as a database with damaged pages, which is read alone
    entries = store.audit_head().entries
    with pytest.raises(NotAllowed, match=r"Ask an admin\. This is not in the audit log, which cannot be written now\."):
        of_role(store, "viewer").delete_visit(1)
    assert store.exists(1)
    assert store.audit_head().entries == entries


def test_a_viewer_reads_all(store: CaseStore, save: SaveCase) -> None:
    case = save(0, maps=True)
    viewer = of_role(store, "viewer")
    assert viewer.load(case.visit.id).case == case
    assert viewer.search().total == 1
    viewer.acknowledge_disclaimer()  # a setting that the store keeps of its own accord
    assert viewer.disclaimer_acknowledged_at()
    with pytest.raises(NotAllowed):
        viewer.keep_settings(Settings(clinic_name="Mine"), read=Settings())


def test_a_viewer_takes_away_a_print_and_no_data(store: CaseStore, save: SaveCase) -> None:
    number = save(0).visit.id
    viewer = of_role(store, "viewer")
    assert viewer.note_export("visit", number, "printed") == ""
    for action in ("exported", "sent"):
        with pytest.raises(NotAllowed, match="does not allow you to export a case or a patient"):
            viewer.note_export("visit", number, action)
    assert of_role(store, "reader").note_export("visit", number) == ""
    assert [entry.action for entry in store.audit_entries()[-4:]] == [
        "printed", "refused: export", "refused: export", "exported",
    ]  # fmt: skip


def test_the_command_line_and_a_computer_of_ones_own_may_all(store: CaseStore) -> None:
    assert (store.actor, store.role) == ("local user", "admin")
