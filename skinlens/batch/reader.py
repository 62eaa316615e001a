"""Reader process: photos from standard input, what the network and the table need of each to standard output.

``readers`` starts it as ``python -c "… main()"``. It decodes each photo by the intake, under the intake's limits of
memory and time, hashes and measures it, and reduces it to the network's view: the work of one core beside the engine.
It decodes by itself, without the intake's own process, through whose pipe each photo's pixels would go: where a photo
ends this process, ``readers`` starts another. It ends when its standard input does, as when the process that asked has
ended in any way.

Requests and answers are pickles, of and for a process of this program.
"""

import os
import pickle
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from skinlens.errors import SkinLensError
from skinlens.imaging import quality
from skinlens.imaging.intake import read_photo, read_photo_file
from skinlens.imaging.intake.limits import LimitedDecoder
from skinlens.imaging.preprocess import InputSpec, View, model_view
from skinlens.records import Photo, QualityReport


class CaseJob(NamedTuple):
    """A stored case's photo."""

    home: str
    number: int


Job = str | bytes | CaseJob
"""The path of a file, the bytes of one, or a case."""


@dataclass(frozen=True, eq=False)
class ReadPhoto:
    """A photo after it was read: no pixels but those that the network sees."""

    sha256: str
    view: View
    quality: QualityReport
    """Without the likeness to the training photos, which the engine tells."""
    notes: tuple[str, ...]


Outcome = ReadPhoto | str
"""The photo, or why it could not be read."""


def read(job: Job, spec: InputSpec, decoder: LimitedDecoder) -> Outcome:
    """One photo, decoded and measured."""
    try:
        photo = _photo(job, decoder)
        return ReadPhoto(photo.sha256, model_view(photo, spec), quality.assess(photo), photo.notes)
    except (SkinLensError, OSError) as problem:
        return sentence(problem)


def sentence(problem: SkinLensError | OSError) -> str:
    """Sentence on one line of why a photo could not be read."""
    if isinstance(problem, SkinLensError):
        return " ".join(str(problem).split())
    return f"The file cannot be read: {problem.strerror or problem}."


def _photo(job: Job, decoder: LimitedDecoder) -> Photo:
    if isinstance(job, bytes):
        return read_photo(job, decoder)
    if isinstance(job, str):
        path = Path(job)
        if path.exists() and not path.is_file():  # to open a pipe would wait for its other end
            raise IsADirectoryError(None, "not an ordinary file")
        return read_photo_file(path, decoder)
    from skinlens.store import CaseStore

    return CaseStore(Path(job.home)).photo(job.number)


def main() -> None:
    """Answer requests until standard input ends."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    decoder = LimitedDecoder(beside=True)
    os.dup2(2, 1)  # what a library prints is no answer
    while True:
        try:
            job, spec = pickle.load(requests)  # noqa: S301  of the process that started this one
        except EOFError:
            return
        pickle.dump(read(job, spec, decoder), answers, pickle.HIGHEST_PROTOCOL)
        answers.flush()
