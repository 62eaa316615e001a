"""Sending to a DICOM archive: C-ECHO, then one C-STORE for each object, each refusal with its reason in a sentence.

References: DICOM PS3.4 annexes A (verification) and B (storage), PS3.7 annex C and PS3.8 9.3.4 (refusals).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when it is asked for

from skinlens.errors import InvalidEntry, PeerError
from skinlens.wording.exchange import OWN_TITLE

TIMEOUT_S = 30
"""For the connection, an answer, and silence in between."""
MAX_TITLE = 16
_WARNINGS = range(0xB000, 0xC000)
_REFUSALS = {
    0x0117: "the identifier of the object is not valid for it",
    0x0122: "it does not store objects of this class",
    0x0124: "it does not allow this sender to store",
    0x0210: "it is still busy with the same message",
}
_KINDS = (
    (range(0xA700, 0xA800), "it has no room or no resources left. Free some space there, and send again"),
    (range(0xA900, 0xAA00), "the object does not have what it expects of its class"),
    (range(0xC000, 0xD000), "it cannot make sense of the object"),
)


@dataclass(frozen=True)
class Peer:
    """A DICOM system on the network, and the name by which SkinLens is known to it. Raises InvalidEntry."""

    host: str
    port: int
    title: str
    """Its AE title."""
    own_title: str = OWN_TITLE

    def __post_init__(self) -> None:
        check_title(self.title)
        check_title(self.own_title)

    @property
    def words(self) -> str:
        return f"{self.title} at {self.host}:{self.port}"


class Connection:
    """An association that answered a C-ECHO."""

    def __init__(self, association: Association, peer: Peer) -> None:
        self._association, self._peer = association, peer

    def store(self, dataset: Dataset) -> None:
        """One C-STORE. A warning of the peer, which keeps the object, is no error. Raises PeerError."""
        accepted = {context.abstract_syntax for context in self._association.accepted_contexts}
        kind = dataset.SOPClassUID
        if kind not in accepted:
            raise PeerError(
                f"{self._peer.words} takes no object of the class {kind.name}. Nothing of this object was sent. Have "
                "the class allowed there."
            )
        status = _status(self._association.send_c_store(dataset))
        if status is None:
            raise PeerError(
                f"{self._peer.words} ended the connection, or did not answer for {TIMEOUT_S} seconds. It is not known "
                "whether it has the object; sent again, it is the same one. Look there, or send again."
            )
        if status and status not in _WARNINGS:
            raise PeerError(
                f"{self._peer.words} refused an object of the class {kind.name}: {_why(status)} (status {status:04X}H)."
            )


@contextmanager
def connected(peer: Peer) -> Iterator[Connection]:
    """A connection whose peer answered a C-ECHO, released at the end. Raises PeerError."""
    entity = AE(ae_title=peer.own_title)
    entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = TIMEOUT_S
    entity.add_requested_context(Verification)
    for kind in (SecondaryCaptureImageStorage, EncapsulatedPDFStorage):
        entity.add_requested_context(kind, ExplicitVRLittleEndian)
    reached: list[bool] = []
    try:
        association = entity.associate(
            peer.host,
            peer.port,
            ae_title=peer.title,
            evt_handlers=[(evt.EVT_CONN_OPEN, lambda _: reached.append(True))],
        )
    except (OSError, UnicodeError) as error:  # before anything is tried: the name is looked up
        said = getattr(error, "strerror", None) or "it is no name that can be looked up"
        raise PeerError(
            f"The host “{peer.host[:80]}” is not found: a host name or an IP address of the archive was expected, and "
            f"the system says: {said}. Nothing was sent. See that the name is spelt as in the archive's settings and "
            "that this computer is on its network, or give the IP address."
        ) from error
    if not association.is_established:
        raise PeerError(_why_none(association, peer, reached=bool(reached)))
    try:
        if _status(association.send_c_echo()) != 0:
            raise PeerError(f"{peer.words} does not answer a C-ECHO as it should. Nothing was sent.")
        yield Connection(association, peer)
    finally:
        if association.is_established:
            association.release()


def check_title(title: str) -> None:
    """Raises InvalidEntry for what is no AE title."""
    allowed = title.isascii() and title.isprintable() and "\\" not in title
    if not title.strip() or len(title) > MAX_TITLE or not allowed:
        raise InvalidEntry(
            f"“{title[:80]}” is no AE title: expected 1 to {MAX_TITLE} plain characters without a backslash, as the "
            "other system's settings have it."
        )


def _why_none(association: Association, peer: Peer, *, reached: bool) -> str:
    if association.is_rejected:
        answer = association.acceptor.primitive
        reason = "" if answer is None else str(answer.reason_str).lower()
        hint = {
            "called": f"It does not go by the name {peer.title}: give its own AE title with --aet",
            "calling": f"It does not know {peer.own_title}: enter that AE title there, or give another with --own-aet",
        }
        advice = next((words for key, words in hint.items() if f"{key} ae title" in reason), "")
        advice = advice or f"It says: {reason or 'no reason'}. Try again later, or ask who looks after it"
        return f"{peer.words} refused the connection. Nothing was sent. {advice}."
    if reached:
        return (
            f"What answers at {peer.host}:{peer.port} is no DICOM system, or ended the connection. Nothing was sent. "
            "Look for its DICOM port, which is another than that of its web page."
        )
    return (
        f"Nothing answers at {peer.host}:{peer.port}. Nothing was sent. See that the archive runs, and that host and "
        "port are those of its settings."
    )


def _why(status: int) -> str:
    of_kind = (words for statuses, words in _KINDS if status in statuses)
    return _REFUSALS.get(status) or next(of_kind, "it gives no reason that is listed")


def _status(answer: Dataset) -> int | None:
    """None: there was no answer."""
    return int(answer.Status) if "Status" in answer else None
