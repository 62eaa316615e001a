"""A real archive (Debian's Orthanc) on loopback: a photo comes from it to the worklist, and map and report go back."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skinlens.cli import main
from skinlens.imaging import intake
from skinlens.labels import DISCLAIMER
from skinlens.serve import free_port
from skinlens.store import CaseStore, ClinicianReading, NewLesion, NewPatient, NewVisit
from tests.dicom_files import NAME, plain
from tests.store import samples

pytestmark = pytest.mark.slow

LIMIT_S = 60.0
"""Only for what never happens."""


@dataclass(frozen=True)
class Orthanc:
    """One that runs, with its web interface and its DICOM port."""

    http: int
    dicom: int

    def ask(self, path: str, data: bytes | None = None) -> Any:
        address = f"http://127.0.0.1:{self.http}{path}"
        with urllib.request.urlopen(urllib.request.Request(address, data), timeout=LIMIT_S) as answer:
            return json.loads(answer.read())


@pytest.fixture
def receiving(skinlens_home: Path) -> Iterator[int]:
    """The port of ``skinlens dicom listen``, as it is typed, for Orthanc alone."""
    words = ["dicom", "listen", "--port", "0", "--from", "ORTHANC"]
    environment = os.environ | {"SKINLENS_HOME": str(skinlens_home)}
    with subprocess.Popen(
        ["env", "--default-signal=INT", sys.executable, "-m", "skinlens", *words],  # tests in the background ignore it
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as running:
        try:
            assert running.stdout is not None
            first = running.stdout.readline()
            assert first.startswith("SKINLENS receives at 127.0.0.1:"), first
            assert running.stdout.readline() == f"{DISCLAIMER}\n"
            yield int(first.split(":")[1].split()[0])
            running.send_signal(signal.SIGINT)
            assert running.wait(LIMIT_S) == 130
        finally:
            running.kill()


@pytest.fixture
def orthanc(receiving: int, tmp_path: Path) -> Iterator[Orthanc]:
    program = shutil.which("Orthanc", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin")
    if program is None:
        pytest.skip("Orthanc is not installed (Debian: apt-get install orthanc)")
    http = free_port("127.0.0.1", int(os.environ["SKINLENS_TEST_PORT"]))
    running = Orthanc(http, free_port("127.0.0.1", http + 1))
    storage = tmp_path / "orthanc"
    settings = {
        "StorageDirectory": str(storage),
        "IndexDirectory": str(storage),
        "HttpPort": running.http,
        "DicomPort": running.dicom,
        "DicomAet": "ORTHANC",
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": False,
        "Plugins": [],
        "DicomModalities": {"skinlens": ["SKINLENS", "127.0.0.1", receiving]},
        "DicomCheckCalledAet": True,
    }
    file = tmp_path / "orthanc.json"
    file.write_text(json.dumps(settings))
    with (tmp_path / "orthanc.log").open("wb") as log, subprocess.Popen([program, str(file)], stderr=log) as process:
        try:
            end = time.monotonic() + LIMIT_S
            while True:
                try:
                    running.ask("/system")
                    break
                except (urllib.error.URLError, OSError):
                    assert process.poll() is None, (tmp_path / "orthanc.log").read_text()
                    assert time.monotonic() < end, (tmp_path / "orthanc.log").read_text()
                    time.sleep(0.1)
            yield running
        finally:
            process.kill()  # what it stored goes with the test


def test_a_photo_comes_from_an_archive_and_its_report_goes_back(
    orthanc: Orthanc, skinlens_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = samples.photo(3, 90, 120)
    file = tmp_path / "photo.dcm"
    file.write_bytes(
        plain(Image.fromarray(photo.pixels), StudyInstanceUID="1.2.3", SeriesInstanceUID="1.2.3.4", Modality="XC")
    )
    added = orthanc.ask("/instances", file.read_bytes())
    assert orthanc.ask("/modalities/skinlens/echo", b"{}") == {}
    sent = orthanc.ask("/modalities/skinlens/store", added["ID"].encode())
    assert sent["FailedInstancesCount"] == 0

    store = CaseStore(skinlens_home)
    (waiting,) = store.received()
    kept = store.received_photo(waiting.token)
    assert kept is not None
    assert NAME.encode() not in kept
    received = intake.read_photo(kept)
    assert received.sha256 == photo.sha256
    patient = NewPatient(waiting.proposal.pseudonym, waiting.proposal.birth_year, waiting.proposal.sex)
    visit = NewVisit(patient, NewLesion("back"), waiting.proposal.taken_on, ClinicianReading("mel"))
    number = store.save_case(samples.analysis(received), visit, [samples.explanation(received)]).visit.id
    store.received_filed(waiting.token)

    command = ["dicom", "send", str(number), "127.0.0.1", str(orthanc.dicom), "--aet", "ORTHANC", "--source", str(file)]
    assert main(command) == 0
    assert main(command) == 0, "sent twice, it is the same"
    assert "2 objects stored by ORTHANC" in capsys.readouterr().out
    assert len(orthanc.ask("/instances")) == 3
    found = [orthanc.ask(f"/instances/{one}/simplified-tags") for one in orthanc.ask("/instances")]
    back = {one["Modality"]: one for one in found if one["PatientID"] == patient.pseudonym}
    assert {*back} == {"OT", "DOC"}
    assert back["OT"]["ImageComments"].startswith(DISCLAIMER)
    assert back["OT"]["SourceImageSequence"][0]["ReferencedSOPInstanceUID"] == added_uid(orthanc, added["ID"])
    assert DISCLAIMER in back["DOC"]["DocumentTitle"]
    assert all(NAME not in json.dumps(one) for one in back.values())


def added_uid(orthanc: Orthanc, identifier: str) -> str:
    return str(orthanc.ask(f"/instances/{identifier}/simplified-tags")["SOPInstanceUID"])
