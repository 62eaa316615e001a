"""Photos that another system sent and that wait on the worklist: two small files each, deleted when they are filed.

They are no cases: no search and no report has them, but each backup does. The patient is told by a pseudonym made with
a key of this case file, from which nobody without the key gets back to the sender's number.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

from skinlens.case_record import Proposal, ReceivedPhoto, Sender
from skinlens.errors import StoreError
from skinlens.store import blobs, chain, settings, validation
from skinlens.store.connection import StoreHome

FOLDER = "received"
MOST_WAITING = 500
MOST_BYTES = 2_000_000_000
"""Of all that wait."""
_KEY = "pseudonym_key"
_SETTLED_S = 3600.0
"""After which a file that no note names is left over."""
TOKEN = re.compile(r"[0-9a-f]{32}")
_SIGNS = 10
"""Of a pseudonym: 50 bits, so that of a hundred thousand patients no two are expected to share one."""


def token_of(data: bytes, proposal: Mapping[str, object]) -> str:
    """Name by which a photo waits with what is proposed for it; of two patients both wait."""
    return hashlib.sha256(hashlib.sha256(data).digest() + json.dumps(proposal).encode()).hexdigest()[:32]


class InboxFull(StoreError):
    """No more photos are taken in before some of those that wait are filed or discarded."""


class StoredReceived(StoreHome):
    """The part of ``CaseStore`` that keeps received photos until they are filed."""

    def expects_photos(self) -> bool:
        """Whether a receiver has ever been started on this case file."""
        return (self.home / FOLDER).is_dir()

    def expect_photos(self) -> None:
        """A receiver is started: see ``expects_photos``. Raises StoreError where nothing could be kept."""
        with self._writing():
            pass  # so that a folder that goes later was seen, and one that is read-only is said before a photo comes
        folder = self.home / FOLDER
        blobs.make_private(folder)
        for path in (*folder.glob(".*.tmp"), *folder.glob("*.dcm")):  # of a receiver that was killed
            if not path.with_suffix(".json").is_file() and blobs.is_settled(path, _SETTLED_S):
                path.unlink(missing_ok=True)

    def keep_received(
        self, data: bytes, proposal: Proposal, identity: str = "", *, sender: Sender = "program"
    ) -> ReceivedPhoto:
        """Keep a photo until it is filed or discarded; on return it is on the disk.

        Args:
            data: A file as it may be uploaded, without a name, a date or a number in it.
            proposal: What the file says of patient and day; its pseudonym is made here.
            identity: The sender's number of the patient. It is used for the pseudonym, and not kept.
            sender: What it came from; the worklist says so.

        Raises:
            InboxFull: as many wait as may.
        """
        with self._opened():
            pass  # a folder that is gone is not made anew
        named = replace(proposal, pseudonym=self.pseudonym(identity))
        told = {name: value for name, value in asdict(named).items() if value or name != "body_site"}  # see waiting.py
        token = token_of(data, told)
        if not self._path(token, "json").is_file():
            self._must_have_room(len(data))
        photo = ReceivedPhoto(token, validation.now(), named, sender)
        blobs.make_private(self.home / FOLDER)
        blobs.write_whole(self._path(token, "dcm"), data)
        note = json.dumps({"received_at": photo.received_at, "sender": sender, **told})
        blobs.write_whole(self._path(token, "json"), note.encode())  # from here on it waits
        with self._writing() as db:
            chain.append(db, "received", "store")
        return photo

    def pseudonym(self, identity: str) -> str:
        """Pseudonym of the patient of that number; empty for an empty one. The number is not kept.

        The same for the same number, in this case file and in what is restored from its backup.
        """
        if not identity:
            return ""
        with self._writing() as db:
            row = settings.find(db, _KEY)
            key = row.value if row else secrets.token_hex(32)
            if row is None:
                settings.put(db, _KEY, key)
        digest = hmac.digest(bytes.fromhex(key), identity.encode(), "sha256")
        return f"R-{base64.b32encode(digest).decode()[:_SIGNS]}"

    def received(self) -> tuple[ReceivedPhoto, ...]:
        """Received photos that wait, the oldest first; one whose note is damaged is left out."""
        return tuple(sorted(self._waiting(), key=lambda photo: (photo.received_at, photo.token)))

    def received_photo(self, token: str) -> bytes | None:
        """The file of one that waits; None: it was filed or discarded."""
        try:
            return self._path(token, "dcm").read_bytes()
        except FileNotFoundError:
            return None

    def received_filed(self, token: str) -> None:
        """Remove a photo that is a case now: it waits no more."""
        self._remove(token)

    def discard_received(self, token: str) -> None:
        """Delete one that waits, which is noted."""
        with self._writing() as db:
            self._remove(token)
            chain.append(db, "discarded", "store")

    def _remove(self, token: str) -> None:
        for ending in ("json", "dcm"):  # without its note it waits no more
            self._path(token, ending).unlink(missing_ok=True)

    def _path(self, token: str, ending: str) -> Path:
        if not TOKEN.fullmatch(token):
            raise StoreError("A received photo was asked for by a name that SkinLens did not give.")
        return self.home / FOLDER / f"{token}.{ending}"

    def _waiting(self) -> Iterator[ReceivedPhoto]:
        for path in (self.home / FOLDER).glob("*.json"):
            if TOKEN.fullmatch(path.stem):
                with suppress(OSError, ValueError, TypeError, KeyError):  # filed by another window just now, or damaged
                    note = json.loads(path.read_bytes())
                    at, sender = str(note.pop("received_at")), note.pop("sender", "")
                    came_from: Sender = "program" if sender == "program" else "archive"  # which older notes do not say
                    yield ReceivedPhoto(path.stem, at, Proposal(**note), came_from)

    def _must_have_room(self, size: int) -> None:
        files = [path.stat().st_size for path in (self.home / FOLDER).glob("*.dcm")]
        if len(files) >= MOST_WAITING or sum(files) + size > MOST_BYTES:
            raise InboxFull(
                f"{len(files)} received photos wait to be filed, and no more are taken in: at most {MOST_WAITING}, and "
                f"{MOST_BYTES // 1_000_000} MB together, may wait. File or discard some on the worklist, then send "
                "again."
            )
