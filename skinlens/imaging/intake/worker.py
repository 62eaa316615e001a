"""Decoder process: one file after another from standard input, bands of rows to standard output.

``isolation`` starts it as ``python -c "… main()"``. It imports Pillow, numpy, simplejpeg and, for such files,
pillow-heif, tifffile, pydicom and pyjpegls; it writes nothing to the disk. ``limits`` holds it to what one photo may
take.

A request is what is asked for (1 byte: a photo, or of a DICOM file the patient fields, or a copy without its patient
and the fields), a length (8 bytes, big-endian) and the file. The answer is a row of messages, each a kind (1 byte), a
length (4 bytes) and a body: ``S`` size and format (JSON), ``B`` a band of rows (RGB bytes), ``N`` the notes and the
width of the field of view (JSON; the end), ``D`` the copy, ``F`` patient fields (JSON; the end), or ``R`` the sentence
of a refusal (the end, at any time).
"""

import json
import os
import struct
import sys
from typing import BinaryIO

import numpy as np

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import patient
from skinlens.imaging.intake.decode import Decoding
from skinlens.imaging.intake.limits import LimitedDecoder

REQUEST, MESSAGE = struct.Struct(">cQ"), struct.Struct(">cI")
PHOTO, PATIENT, DEIDENTIFIED = b"P", b"F", b"D"
"""What may be asked for."""


def main() -> None:
    """Answer requests until standard input ends, as it does when the process that asked has ended in any way."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    decoder = LimitedDecoder()
    os.dup2(2, 1)  # what a library prints is noise, and no answer
    while header := _exactly(requests, REQUEST.size):
        wanted, size = REQUEST.unpack(header)
        _answer(wanted, _exactly(requests, size), answers, decoder)


def _answer(wanted: bytes, data: bytes, answers: BinaryIO, decoder: LimitedDecoder) -> None:
    def send(decoding: Decoding) -> None:
        shape = (decoding.width_px, decoding.height_px, decoding.orientation)
        _send(answers, b"S", json.dumps([decoding.source_format, *shape]).encode())
        for band in decoding.bands:
            _send(answers, b"B", np.ascontiguousarray(band).data)
        _send(answers, b"N", json.dumps([decoding.notes, decoding.field_width_mm]).encode())

    try:
        if wanted == DEIDENTIFIED:
            file, fields = decoder.deidentified(data)
            _send(answers, b"D", file)
            _send(answers, b"F", patient.to_json(fields).encode())
        elif wanted == PATIENT:
            _send(answers, b"F", patient.to_json(decoder.patient_fields(data)).encode())
        else:
            decoder.decode(data, send)
    except UnreadableImage as refusal:
        _send(answers, b"R", str(refusal).encode())


def _send(answers: BinaryIO, kind: bytes, body: "bytes | memoryview") -> None:
    view = memoryview(body).cast("B")
    for part in (MESSAGE.pack(kind, len(view)), view):
        rest = memoryview(part)
        while rest:  # a raw pipe takes what it has room for
            rest = rest[answers.write(rest) :]


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """``size`` bytes, or none where the stream ends before."""
    data = stream.read(size)
    return data if len(data) == size else b""
