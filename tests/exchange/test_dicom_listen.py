"""The receiver: a photo that is sent waits without its patient, and what may not come in is refused with a reason."""

import select
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from skinlens.case_record import Proposal
from skinlens.cli import main
from skinlens.errors import InvalidEntry, ServeError
from skinlens.exchange.dicom import bounds
from skinlens.exchange.dicom.received import Received, received_of
from skinlens.exchange.dicom.receiving import Listening, Receiver
from skinlens.imaging import intake
from skinlens.store import CaseStore
from skinlens.store import received as inbox
from tests.dicom_files import NAME, encoded_elsewhere, plain
from tests.new_store import new_store
from tests.store import samples

PICTURE = Image.fromarray(samples.photo(3, 90, 120).pixels)


@pytest.fixture
def store(skinlens_home: Path) -> CaseStore:
    return new_store(skinlens_home)


@contextmanager
def receiver(store: CaseStore, said: list[str] | None = None, **settings: object) -> Iterator[int]:
    listening = Listening("127.0.0.1", 0, "SKINLENS", **settings)  # type: ignore[arg-type]
    made = Receiver(
        listening,
        lambda one: store.keep_received(one.data, one.proposal, one.identity, sender="archive"),
        (lambda _: None) if said is None else said.append,
    )
    port = made.start()
    try:
        yield port
    finally:
        made.stop()


def sent(port: int, data: bytes, title: str = "SKINLENS", sender: str = "ARCHIVE") -> Dataset | None:
    """The answer to a C-STORE; None: the class, the sender or the name is not taken."""
    content, entity = dcmread(BytesIO(data)), AE(ae_title=sender)
    entity.add_requested_context(Verification)
    entity.add_requested_context(content.SOPClassUID, content.file_meta.TransferSyntaxUID)
    association = entity.associate("127.0.0.1", port, ae_title=title)
    if not association.is_established:
        return None
    connection = association.dul.socket.socket
    try:
        assert association.send_c_echo().Status == 0
        if content.SOPClassUID not in {one.abstract_syntax for one in association.accepted_contexts}:
            return None
        return association.send_c_store(content)
    finally:
        association.release()
        connection.close()  # pynetdicom leaves one open that was cut off


def test_a_photo_that_is_sent_waits_without_its_patient(store: CaseStore) -> None:
    data, said = plain(PICTURE, PixelSpacing=[0.1, 0.1], PatientSex="F", IssuerOfPatientID="CLINIC"), []
    with receiver(store, said) as port:
        assert sent(port, data).Status == 0
        assert sent(port, data).Status == 0  # the same again waits once
    (waiting,) = store.received()
    assert waiting.proposal.pseudonym.startswith("R-")
    assert (waiting.proposal.birth_year, waiting.proposal.sex) == (1961, "female")
    assert waiting.proposal.taken_on == "2025-01-01"
    kept = store.received_photo(waiting.token)
    assert kept is not None
    uploaded, photo = intake.read_photo(data), intake.read_photo(kept)
    assert (photo.sha256, photo.source_format, photo.field_width_mm, photo.notes) == (
        uploaded.sha256, "DICOM", 12.0, uploaded.notes,
    )  # fmt: skip
    stored = b"".join(path.read_bytes() for path in store.home.rglob("*") if path.is_file())
    for secret in (*NAME.split("^"), "PAT-4711", "19610203", dcmread(BytesIO(data)).SOPInstanceUID):
        assert secret.encode() not in stored, secret
    assert said == ["ARCHIVE: a photo of 120 × 90 pixels waits on the worklist."] * 2
    assert [one.action for one in store.audit_entries() if one.kind == "store"] == ["received"] * 2


def test_each_coding_is_agreed_upon_and_taken_with_the_same_pixels(store: CaseStore) -> None:
    names = ("big_endian", "jpeg_lossless", "jpeg_lossless_ybr", "jpeg_ls", "jpeg_ls_planes", "htj2k", "jpeg_extended")
    files = [encoded_elsewhere(name) for name in names]
    with receiver(store) as port:
        assert [sent(port, data).Status for data in files] == [0] * len(files)
        assert sent(port, encoded_elsewhere("deflated")).Status == 0  # written anew it is the file of big endian
        assert sent(port, encoded_elsewhere("jpeg_extended_12_bits")).Status == 0xC000
    waiting = [store.received_photo(photo.token) for photo in store.received()]
    assert len(waiting) == len(files)
    assert {intake.read_photo(data).sha256 for data in waiting if data} == {
        intake.read_photo(data).sha256 for data in files
    }


def test_a_patient_has_one_pseudonym_and_another_patient_another(store: CaseStore) -> None:
    for number, (issuer, patient) in enumerate([("A", "1"), ("A", "1"), ("A", "2"), ("B", "1")]):
        store.keep_received(bytes([number]), Proposal(), f"{issuer}\n{patient}")
    names = [one.proposal.pseudonym for one in store.received()]
    assert len({*names}) == 3
    assert store.keep_received(b"nobody", Proposal()).proposal.pseudonym == ""
    elsewhere = CaseStore(store.home.with_name("other"))
    assert elsewhere.keep_received(b"0", Proposal(), "A\n1").proposal.pseudonym not in names


def test_the_same_pixels_of_two_patients_wait_for_each_of_them(store: CaseStore) -> None:
    patients = [
        {"PatientID": "1"}, {"PatientID": "2"}, {"PatientID": "2"}, {"PatientID": ""},
        {"PatientID": "", "PatientSex": "F"},
    ]  # fmt: skip
    for tags in patients:
        one = received_of(plain(PICTURE, **tags))
        store.keep_received(one.data, one.proposal, one.identity)
    proposed = [one.proposal for one in store.received()]
    assert len(proposed) == 4
    assert len({one.pseudonym for one in proposed} - {""}) == 2
    assert {one.sex for one in proposed if not one.pseudonym} == {"unknown", "female"}
    assert len({store.received_photo(one.token) for one in store.received()}) == 1


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"PatientBirthDate": "19200101"}, Proposal("", None, "unknown", "2025-01-01")),
        ({"PatientBirthDate": "unknown"}, Proposal("", None, "unknown", "2025-01-01")),
        ({"ContentDate": "20240229", "PatientSex": "M"}, Proposal("", 1961, "male", "2024-02-29")),
        ({"AcquisitionDateTime": "20231231235959"}, Proposal("", 1961, "unknown", "2023-12-31")),
        ({"StudyDate": "29990101"}, Proposal("", 1961, "unknown", "")),
    ],
    ids=["above 85", "no date", "content date", "acquisition", "to come"],
)
@pytest.mark.filterwarnings("ignore:Invalid value for VR DA")
def test_what_is_proposed_is_what_may_be_kept(tags: dict[str, str], expected: Proposal) -> None:
    assert received_of(plain(PICTURE, **tags)).proposal == expected


def test_what_is_no_photo_is_refused_before_it_is_sent(store: CaseStore) -> None:
    with receiver(store) as port:
        assert sent(port, plain(PICTURE, kind="1.2.840.10008.5.1.4.1.1.7")) is None
    assert store.received() == ()


def test_who_may_not_send_is_not_let_in(store: CaseStore) -> None:
    with receiver(store, senders=("CLINIC",)) as port:
        assert sent(port, plain(PICTURE)) is None
        assert sent(port, plain(PICTURE), title="OTHER", sender="CLINIC") is None
        assert sent(port, plain(PICTURE), sender="CLINIC").Status == 0


def test_a_photo_that_cannot_be_taken_is_answered_with_the_reason(
    store: CaseStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    with receiver(store, said, max_bytes=40_000) as port:
        refused = sent(port, plain(Image.fromarray(samples.photo(1, 45, 20).pixels)))
        assert (refused.Status, refused.ErrorComment) == (
            0xC000,
            said[0].removeprefix("ARCHIVE: refused. ")[:64].strip(),
        )
        refused = sent(port, plain(PICTURE.resize((150, 120))))
        assert refused.Status == 0xA700
        assert refused.ErrorComment.startswith("The object has 54,")
        monkeypatch.setattr(inbox, "MOST_WAITING", 0)
        refused = sent(port, plain(PICTURE))
        assert refused.Status == 0xA700
        assert refused.ErrorComment.startswith("0 received photos wait to be filed, and no more are taken in")
    assert store.received() == ()


def test_who_sends_too_much_is_cut_off_and_the_next_is_served(store: CaseStore) -> None:
    said: list[str] = []
    with receiver(store, said, max_bytes=40_000) as port:
        answer = sent(port, plain(PICTURE.resize((1200, 900))))
        assert answer is None or "Status" not in answer
        with socket.create_connection(("127.0.0.1", port)) as rude:
            rude.sendall(struct.pack(">BBL", 1, 0, 2**32 - 1))  # a part of four gigabytes
            rude.settimeout(5)
            assert rude.recv(100) == b""
        assert sent(port, plain(PICTURE)).Status == 0
    assert said[:2] == ["A sender was cut off: its message has more than 240,000 bytes."] * 2
    assert len(store.received()) == 1


def closed(connection: socket.socket) -> bool:
    """Whether the receiver ends it; what it says before is read."""
    connection.settimeout(20)
    try:
        while connection.recv(1000):
            pass
    except ConnectionError:
        pass
    return True


def test_connections_that_say_nothing_keep_nobody_out(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_SILENT", 2)
    monkeypatch.setattr(bounds, "MOST_CONNECTIONS", 1)
    with receiver(store) as port, ExitStack() as held:
        silent = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(5)]
        assert sent(port, plain(PICTURE)).Status == 0
        ended: set[socket.socket] = set()
        while len(ended) < 4:  # the one that came last may stay for its time
            ended |= {*select.select(silent, [], [], 20)[0]}
        assert all(closed(one) for one in ended)


def test_whoever_begins_and_does_not_go_on_is_cut_off(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(bounds, "FIRST_S", 0.3)
    monkeypatch.setattr(bounds, "PART_S", 0.3)
    rubbish = (struct.pack(">BBL", 1, 0, 1000) + b"half a request", b"\xff" * 6, b"GET / HTTP/1.1\r\n\r\n" * 2, b"")
    with receiver(store, said) as port:
        for begun in rubbish:
            with socket.create_connection(("127.0.0.1", port)) as rude:
                rude.sendall(begun)
                assert closed(rude)
    assert said.count("A sender was cut off: it asked for nothing within 0.3 seconds.") >= 1


def test_no_more_send_at_a_time_than_may(store: CaseStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "MOST_CONNECTIONS", 1)
    with receiver(store) as port:
        entity = AE(ae_title="ARCHIVE")
        entity.add_requested_context(Verification)
        first = entity.associate("127.0.0.1", port, ae_title="SKINLENS")
        assert first.is_established
        second = entity.associate("127.0.0.1", port, ae_title="SKINLENS")
        assert second.is_rejected
        assert "local limit exceeded" in second.acceptor.primitive.reason_str.lower()
        first.release()
        assert sent(port, plain(PICTURE)).Status == 0


GONE = "was there and is gone: its disk was removed, or its folder moved or deleted."


@pytest.mark.parametrize("left", [False, True], ids=["moved away", "an empty folder is left"])
def test_a_case_folder_that_goes_meanwhile_is_said_and_not_made_anew(store: CaseStore, *, left: bool) -> None:
    said: list[str] = []
    store.expect_photos()
    away = store.home.with_name("unplugged")
    with receiver(store, said) as port:
        store.home.rename(away)
        if left:
            store.home.mkdir()
        for patient in ("PAT-4711", ""):  # without a number no pseudonym is asked of the database
            assert sent(port, plain(PICTURE, PatientID=patient)).Status == 0xA700
        assert all(GONE in line for line in said)
        assert store.home.exists() == left
        assert not left or not [*store.home.iterdir()]
        if left:
            store.home.rmdir()
        away.rename(store.home)
        assert sent(port, plain(PICTURE)).Status == 0
    assert len(said) == 3
    assert len(store.received()) == 1


def test_a_photo_that_is_filed_or_discarded_waits_no_more(store: CaseStore) -> None:
    first = store.keep_received(b"one", Proposal())
    second = store.keep_received(b"two", Proposal())
    store.received_filed(first.token)
    assert store.received() == (second,)
    store.discard_received(second.token)
    assert store.received() == ()
    assert store.received_photo(second.token) is None
    assert not any((store.home / inbox.FOLDER).iterdir())
    assert [one.action for one in store.audit_entries()][-1] == "discarded"


def test_what_a_killed_receiver_left_goes_and_what_waits_stays(store: CaseStore) -> None:
    import os

    store.expect_photos()
    waiting = store.keep_received(b"waits", Proposal())
    folder = store.home / inbox.FOLDER
    for name in ("." + "0" * 32 + ".tmp", "f" * 32 + ".dcm"):
        (folder / name).write_bytes(b"left")
        os.utime(folder / name, (time.time() - 7200,) * 2)
    os.utime(folder / f"{waiting.token}.dcm", (time.time() - 7200,) * 2)
    store.expect_photos()
    assert store.received() == (waiting,)
    assert len([*folder.iterdir()]) == 2


def test_a_port_that_is_taken_and_a_title_that_is_none_are_said(store: CaseStore) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listening = Listening("127.0.0.1", taken.getsockname()[1], "SKINLENS")
        with pytest.raises(ServeError, match=r"No photos can be received at .* Give another --port"):
            Receiver(listening, lambda _: None).start()
    with pytest.raises(InvalidEntry, match="is no AE title"):
        Receiver(Listening("127.0.0.1", 0, "X" * 17), lambda _: None)
    assert main(["dicom", "listen", "--port", "0", "--own-aet", "X" * 17]) == 2


def test_it_ends_while_a_sender_holds_its_connection_and_keeps_what_is_on_its_way(store: CaseStore) -> None:
    begun, goes_on, kept = threading.Event(), threading.Event(), []

    def keep(photo: Received) -> None:
        begun.set()
        assert goes_on.wait(30)
        kept.append(store.keep_received(photo.data, photo.proposal, photo.identity, sender="archive"))

    made = Receiver(Listening("127.0.0.1", 0, "SKINLENS"), keep)
    port = made.start()
    entity = AE(ae_title="ARCHIVE")
    entity.add_requested_context(Verification)
    silent = entity.associate("127.0.0.1", port, ae_title="SKINLENS")
    sending = threading.Thread(target=sent, args=(port, plain(PICTURE)))
    sending.start()
    assert begun.wait(30)
    ending = threading.Thread(target=made.stop)
    ending.start()
    assert silent.is_established
    goes_on.set()
    ending.join(30)
    sending.join(30)
    assert len(kept) == len(store.received()) == 1
    until = time.monotonic() + 10
    while silent.is_established and time.monotonic() < until:
        time.sleep(0.01)
    assert not silent.is_established
