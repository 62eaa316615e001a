"""Commands for DICOM: ``dicom export``, ``dicom send`` and ``dicom listen``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from skinlens.atomic_file import replace_files
from skinlens.cli import options
from skinlens.errors import PeerError
from skinlens.formatting import counted
from skinlens.labels import DISCLAIMER
from skinlens.wording.exchange import OWN_TITLE

if TYPE_CHECKING:
    from skinlens.exchange.dicom.objects import Written
    from skinlens.store import CaseStore

CASE = click.argument("case", type=click.IntRange(min=1), metavar="CASE")
SOURCE = click.option(
    "--source",
    type=options.FILE,
    metavar="FILE.dcm",
    help="The DICOM file in which the photo came: the objects then name it as their source. Its photo must be the "
    "case's own.",
)


@click.group("dicom")
def dicom() -> None:
    """Stored cases as DICOM objects, to an archive and from one."""


@dicom.command("export")
@CASE
@options.out_directory
@SOURCE
def export(case: int, *, out: Path, source: Path | None) -> int:
    """A stored case as DICOM files: each map over its photo (Secondary Capture) and the report (Encapsulated PDF)."""
    from skinlens.store import CaseStore

    store = CaseStore()
    made, problems = _objects(store, case, source)
    not_noted = store.note_export("visit", case)
    _say(*problems, not_noted)
    out.mkdir(parents=True, exist_ok=True)
    replace_files({out / instance.name: instance.content for instance in made})
    print(*(out / instance.name for instance in made), DISCLAIMER, sep="\n")
    return 1 if problems or not_noted else 0


@dicom.command("send")
@CASE
@click.argument("host", metavar="HOST")
@click.argument("port", type=click.IntRange(1, 65_535), metavar="PORT")
@click.option("--aet", required=True, metavar="TITLE", help="AE title of the archive.")
@click.option("--own-aet", default=OWN_TITLE, metavar="TITLE", help=f"AE title to go by; {OWN_TITLE} by default.")
@SOURCE
def send(case: int, host: str, port: int, *, aet: str, own_aet: str, source: Path | None) -> int:
    """The objects of `dicom export` to an archive: C-ECHO, then C-STORE. Nothing else of SkinLens sends anything."""
    from skinlens.exchange.dicom import sending
    from skinlens.store import CaseStore

    store = CaseStore()
    peer = sending.Peer(host, port, aet, own_aet)
    made, problems = _objects(store, case, source)
    _say(*problems)
    with sending.connected(peer) as connection:
        _say(not_noted := store.note_export("visit", case, "sent"))
        for number, instance in enumerate(made, start=1):
            try:
                connection.store(instance.dataset)
            except PeerError as problem:
                raise PeerError(f"{number - 1} of {counted(len(made), 'object')} stored, then: {problem}") from problem
            print(instance.name, file=sys.stderr)
    print(f"{counted(len(made), 'object')} stored by {peer.words}.\n{DISCLAIMER}")
    return 1 if problems or not_noted else 0


@dicom.command("listen")
@click.option("--port", type=click.IntRange(0, 65_535), default=11_112, help="11112 by default.")
@click.option("--host", default="127.0.0.1", help="127.0.0.1 by default: programs of this computer only.")
@click.option("--own-aet", default=OWN_TITLE, metavar="TITLE", help=f"AE title to go by; {OWN_TITLE} by default.")
@click.option(
    "--from", "senders", multiple=True, metavar="TITLE", help="AE title that may send, once each; any by default."
)
@click.option("--max-mb", type=click.IntRange(1, 25), default=25, help="Of one object; 25 by default, the most.")
def listen(port: int, host: str, own_aet: str, senders: tuple[str, ...], max_mb: int) -> int:
    """Receive photos by C-STORE until Ctrl+C: they wait on the worklist, without their patients' names."""
    import threading

    from skinlens.exchange.dicom.receiving import Listening, Receiver
    from skinlens.imaging import intake
    from skinlens.store import CaseStore

    store = CaseStore()
    store.expect_photos()
    intake.start()
    receiver = Receiver(
        Listening(host, port, own_aet, senders, max_mb * 1_000_000),
        lambda received: store.keep_received(received.data, received.proposal, received.identity, sender="archive"),
        _say,
    )
    port = receiver.start()
    print(f"{own_aet} receives at {host}:{port} until Ctrl+C.\n{DISCLAIMER}", flush=True)
    if not senders:
        _say("Any sender is let in. Name those that may send with --from.")
    try:
        threading.Event().wait()
    finally:
        receiver.stop()
    return 0


def _objects(store: "CaseStore", case: int, source: Path | None) -> "tuple[tuple[Written, ...], tuple[str, ...]]":
    """The objects of a case, and a sentence for each part that could not be read and is in none of them."""
    from skinlens import pipeline
    from skinlens.exchange.dicom import objects
    from skinlens.exchange.dicom.source import source_of
    from skinlens.report import pdf

    record, settings = store.load(case, with_previous=True), store.settings()
    came_in = None if source is None else source_of(source, record.visit.photo_sha256)
    content = pipeline.report_of(record, pipeline.printing(settings, None, annex=True))
    made = objects.objects(record, pdf.render(content), root=settings.dicom_uid_root, source=came_in)
    return made, record.problems


def _say(*sentences: str) -> None:
    """Those that are not empty, to stderr."""
    for sentence in filter(None, sentences):
        print(f"skinlens: {sentence}", file=sys.stderr)
