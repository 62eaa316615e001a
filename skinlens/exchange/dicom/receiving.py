"""Receiver of DICOM photos (C-ECHO and C-STORE): each is read by intake, and handed on without its patient.

It takes dermoscopic and photographic images in the transfer syntaxes that intake reads, and says no to all else before
anything is sent. What a sender may take of memory, time and connections is bounded: see ``bounds``.

References: DICOM PS3.4 annex B (storage), PS3.7 9.1.1.1.9 (statuses).
"""

import logging
import socket
import sys
import threading
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pynetdicom import AE, evt
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]  # made when it is asked for
from pynetdicom.transport import ThreadedAssociationServer

from skinlens.background import GRACE_S
from skinlens.errors import ServeError, SkinLensError, StoreError, UnreadableImage
from skinlens.exchange.dicom import bounds
from skinlens.exchange.dicom.bounds import Bounds
from skinlens.exchange.dicom.received import Received, read_received
from skinlens.exchange.dicom.sending import check_title
from skinlens.formatting import grouped
from skinlens.imaging import intake
from skinlens.imaging.intake.dicom import PHOTOS
from skinlens.imaging.intake.transfer_syntax import CODINGS
from skinlens.records import Photo

_AGREED_PART = 65_536
_STORED, _NO_ROOM, _NOT_UNDERSTOOD, _FAILED = 0x0000, 0xA700, 0xC000, 0x0110
_MAX_COMMENT = 64
_LOG = logging.getLogger(__name__)
# pydicom quotes the value of a tag that it warns of, and that may be a name: a receiver's terminal is a log.
warnings.filterwarnings("ignore", module=r"pydicom\.")


@dataclass(frozen=True)
class Listening:
    """Address and access of a receiver: where it listens, and what it lets in."""

    host: str
    port: int
    """0: any that is free."""
    title: str
    """Its AE title: a sender must use it."""
    senders: Collection[str] = ()
    """AE titles that may send; empty: any."""
    max_bytes: int = intake.MAX_BYTES
    """Of one object."""


class Receiver:
    """A server in threads of its own, from ``start`` to ``stop``."""

    def __init__(
        self,
        listening: Listening,
        keep: Callable[[Received], object],
        said: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Make one.

        Args:
            listening: Where, and for whom.
            keep: Keeps a photo for good; it is called from several threads. The sender is told what it raises.
            said: Gets a line for each photo that came, and for each that was refused; nothing of a patient is in it.

        Raises:
            InvalidEntry: what is no AE title is given as one.
        """
        for title in (listening.title, *listening.senders):
            check_title(title)
        self._listening, self._keep, self._said = listening, keep, said
        self._bounds = Bounds(listening.max_bytes, said)
        self._server: ThreadedAssociationServer | None = None
        self._at_work, self._photos = threading.Condition(), 0

    def start(self) -> int:
        """Listen; the port. Raises ServeError."""
        where = self._listening
        entity = AE(ae_title=where.title)
        entity.require_called_aet = True
        entity.require_calling_aet = list(where.senders)
        entity.maximum_associations = sys.maxsize  # it counts those that are silent as well; the bounds look to it
        entity.maximum_pdu_size = _AGREED_PART
        entity.acse_timeout = bounds.FIRST_S
        entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = bounds.PART_S
        entity.add_supported_context(Verification)
        for kind in sorted(PHOTOS):
            entity.add_supported_context(kind, list(CODINGS))
        handlers: Any = [
            (evt.EVT_CONN_OPEN, self._bounds.opened),
            (evt.EVT_REQUESTED, self._bounds.asked),
            (evt.EVT_CONN_CLOSE, self._bounds.closed),
            (evt.EVT_C_STORE, self._stored),
        ]
        try:
            socket.create_server((where.host, where.port)).close()  # where it is refused, pynetdicom leaves one open
            self._server = entity.start_server((where.host, where.port), block=False, evt_handlers=handlers)
        except OSError as error:
            raise ServeError(
                f"No photos can be received at {where.host}:{where.port}: {error.strerror or error}. Give another "
                "--port, or close the program that uses it; --host must be an address of this computer."
            ) from error
        assert self._server is not None
        return int(self._server.server_address[1])

    def stop(self) -> None:
        """Listen no more, let photos that came be kept, within ``GRACE_S``, and close every connection: a sender may
        hold one for as long as it likes.
        """
        if self._server is not None:
            self._server.shutdown()
            with self._at_work:
                self._at_work.wait_for(lambda: not self._photos, GRACE_S)
            self._bounds.close_all()

    # ------------------------------------------------------------------------------------------------- one photo

    def _stored(self, event: evt.Event) -> Dataset:
        with self._at_work:
            self._photos += 1
        try:
            return self._taken(event)
        finally:
            with self._at_work:
                self._photos -= 1
                self._at_work.notify_all()

    def _taken(self, event: evt.Event) -> Dataset:
        sender = str(event.assoc.requestor.ae_title)
        self._bounds.message_ends(event)
        try:
            photo = self._take(event)
        except UnreadableImage as refusal:
            return self._refused(sender, _NOT_UNDERSTOOD, str(refusal))
        except StoreError as refusal:
            return self._refused(sender, _NO_ROOM, str(refusal))
        except SkinLensError as refusal:
            return self._refused(sender, _FAILED, str(refusal))
        except Exception:  # noqa: BLE001  a fault of ours ends one photo, not the receiver
            _LOG.exception("a received photo could not be kept")
            return self._refused(sender, _FAILED, "A fault in SkinLens kept it from being taken in.")
        self._said(f"{sender}: a photo of {photo.width_px} × {photo.height_px} pixels waits on the worklist.")
        return _answer(_STORED)

    def _take(self, event: evt.Event) -> Photo:
        data = event.encoded_dataset()
        if len(data) > self._listening.max_bytes:
            raise StoreError(
                f"The object has {grouped(len(data))} bytes; at most {grouped(self._listening.max_bytes)} are taken."
            )
        received, photo = read_received(data)
        self._keep(received)
        return photo

    def _refused(self, sender: str, status: int, why: str) -> Dataset:
        self._said(f"{sender}: refused. {why}")
        return _answer(status, why)


def _answer(status: int, why: str = "") -> Dataset:
    made = Dataset()
    made.Status = status
    if why:
        made.ErrorComment = why.replace("\\", "/").encode("ascii", "replace").decode()[:_MAX_COMMENT].strip()
    return made
