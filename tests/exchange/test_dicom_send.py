"""Sending to an archive: what arrives is what is exported, and every refusal says why and what to do."""

import gc
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, EncapsulatedPDFStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from skinlens.cli import main
from skinlens.errors import InvalidEntry, PeerError, StoreError
from skinlens.exchange.dicom import sending
from skinlens.labels import DISCLAIMER
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from skinlens.store.audit_log import NOT_NOTED
from tests.store import samples

KINDS = (SecondaryCaptureImageStorage, EncapsulatedPDFStorage)


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    """With one case of one map."""
    store, photo = CaseStore(skinlens_home), samples.photo(1)
    visit = NewVisit(NewPatient("P-7"), NewLesion("back"), "2025-03-04", ClinicianReading("mel"))
    store.save_case(samples.analysis(photo), visit, [samples.explanation(photo)])
    return store


@contextmanager
def archive(
    answer: Callable[[Dataset], int] = lambda _: 0, kinds: tuple[str, ...] = KINDS, **settings: object
) -> Iterator[tuple[int, list[Dataset]]]:
    """An archive on a free port, and what it was sent."""
    entity, received = AE(ae_title="ARCHIVE"), []
    for name, value in settings.items():
        setattr(entity, name, value)
    for kind in (Verification, *kinds):
        entity.add_supported_context(kind)

    def keep(event: evt.Event) -> int:
        received.append(event.dataset)
        return answer(event.dataset)

    server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, keep)])
    assert server is not None
    try:
        yield server.server_address[1], received
    finally:
        server.shutdown()


def send(port: int, *further: str, case: int = 1) -> int:
    return main(["dicom", "send", str(case), "127.0.0.1", str(port), "--aet", "ARCHIVE", *further])


def done(store: CaseStore) -> list[str]:
    return [one.action for one in store.audit_entries() if one.kind == "visit"]


def test_an_archive_gets_what_is_exported(store: CaseStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dicom", "export", "1", "--out", str(tmp_path)]) == 0
    with archive(require_called_aet=True) as (port, received):
        assert send(port) == 0
    exported = [dcmread(path) for path in sorted(tmp_path.glob("*.dcm"))]
    assert [one.SOPInstanceUID for one in received] == [one.SOPInstanceUID for one in exported]
    assert [one.to_json() for one in received] == [one.to_json() for one in exported]
    assert f"2 objects stored by ARCHIVE at 127.0.0.1:{port}.\n{DISCLAIMER}" in capsys.readouterr().out
    assert done(store) == ["created", "exported", "sent"]


def test_a_refused_object_says_why_and_what_was_stored_before(
    store: CaseStore, capsys: pytest.CaptureFixture[str]
) -> None:
    with archive(lambda one: 0xA700 if one.SOPClassUID == EncapsulatedPDFStorage else 0) as (port, _):
        assert send(port) == 2
    told = capsys.readouterr().err
    assert "1 of 2 objects stored, then: ARCHIVE at 127.0.0.1" in told
    assert "it has no room or no resources left" in told


def connect(port: int) -> AbstractContextManager[sending.Connection]:
    return sending.connected(sending.Peer("127.0.0.1", port, "ARCHIVE"))


def small(kind: UID) -> Dataset:
    """Enough of an object to be sent."""
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = kind, "1.2.3"
    return made


def test_each_refusal_has_its_reason_and_a_warning_is_none() -> None:
    answers = iter((0xB007, 0xA900, 0xC123, 0x0124, 0x0999))
    with archive(lambda _: next(answers)) as (port, received), connect(port) as connection:
        connection.store(small(KINDS[0]))
        for said in (
            "the object does not have what it expects of its class (status A900H)",
            "it cannot make sense of the object (status C123H)",
            "it does not allow this sender to store (status 0124H)",
            "it gives no reason that is listed (status 0999H)",
        ):
            with pytest.raises(PeerError, match=re.escape(said)):
                connection.store(small(KINDS[0]))
    assert len(received) == 5


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (
            {"ae_title": "OTHER", "require_called_aet": True},
            "It does not go by the name ARCHIVE: give its own AE title",
        ),
        ({"require_calling_aet": ["CLINIC"]}, "It does not know SKINLENS: enter that AE title there"),
    ],
)
def test_a_refused_connection_says_which_name_is_not_known(settings: dict[str, object], said: str) -> None:
    running = archive(**settings)  # type: ignore[arg-type]
    with running as (port, _), pytest.raises(PeerError, match=said), connect(port):
        pytest.fail("it was let in")


def test_a_class_that_is_not_taken_is_named() -> None:
    with archive(kinds=(SecondaryCaptureImageStorage,)) as (port, received), connect(port) as connection:
        connection.store(small(KINDS[0]))
        with pytest.raises(PeerError, match="takes no object of the class Encapsulated PDF Storage"):
            connection.store(small(KINDS[1]))
    assert len(received) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_nobody_there_is_said(store: CaseStore, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        port = taken.getsockname()[1]
        assert send(port) == 2
    gc.collect()  # pynetdicom lets go of a socket that found nobody without closing it
    assert f"Nothing answers at 127.0.0.1:{port}. Nothing was sent." in capsys.readouterr().err
    assert done(store) == ["created"]


def test_what_is_no_dicom_system_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as web_page:  # takes the connection and says nothing
        port = web_page.getsockname()[1]
        with pytest.raises(PeerError, match="is no DICOM system, or ended the connection"), connect(port):
            pytest.fail("it was let in")


@pytest.mark.parametrize("title", ["", "A" * 17, "BACK\\SLASH", "ÄRCHIV"])
def test_what_is_no_title_is_refused(title: str) -> None:
    with pytest.raises(InvalidEntry, match="is no AE title: expected 1 to 16 plain characters"):
        sending.Peer("127.0.0.1", 104, title)
    with pytest.raises(InvalidEntry, match="is no AE title: expected 1 to 16 plain characters"):
        sending.Peer("127.0.0.1", 104, "ARCHIVE", title)


@pytest.mark.parametrize(
    ("error", "found"),
    [
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "Name or service not known"),
        (UnicodeError("label empty or too long"), "it is no name that can be looked up"),  # of a..b
    ],
)
def test_a_host_that_is_not_found_is_said(
    store: CaseStore,
    error: Exception,
    found: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert main(["dicom", "send", "1", "nowhere.invalid", "4242", "--aet", "ARCHIVE"]) == 2
    assert capsys.readouterr().err.endswith(
        "The host “nowhere.invalid” is not found: a host name or an IP address of the archive was expected, and the "
        f"system says: {found}. Nothing was sent. See that the name is spelt as in the archive's settings and that "
        "this computer is on its network, or give the IP address.\n"
    )
    assert done(store) == ["created"]


def test_what_cannot_be_noted_is_handed_out_all_the_same_and_ends_with_1(
    store: CaseStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def closed(*_: object) -> None:
        raise StoreError("It can be read but not written.")

    monkeypatch.setattr(CaseStore, "_writing", closed)
    for command in (
        ["dicom", "export", "1", "--out", str(tmp_path / "dicom")],
        ["fhir-export", "1", "--out", str(tmp_path / "1.json")],
        ["isic-export", str(tmp_path / "isic")],
    ):
        assert main(command) == 1
        told = capsys.readouterr()
        assert f"{NOT_NOTED} It can be read but not written." in told.err
        assert str(tmp_path) in told.out
    assert len([*(tmp_path / "dicom").iterdir()]) == 2
    with archive() as (port, received):
        assert send(port) == 1
    assert len(received) == 2
    assert NOT_NOTED in capsys.readouterr().err
