"""Whatever a file of 25 MB asks for, reading it stays within the limits of memory and of processor time."""

import tracemalloc

import numpy as np
import pytest

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import read_photo
from skinlens.imaging.intake.containers import parse_container
from skinlens.imaging.intake.sniffing import recognize
from tests.hostile_files import hostile_files
from tests.intake_files import picture, refusal

TOO_MANY = {
    "tiff greedy directory": "1,000 directory lines",
    "jpeg empty segments": "100,000 segments",
    "png empty chunks": "100,000 chunks",
    "png empty pixel chunks": "100,000 chunks",
    "webp empty chunks": "100,000 chunks",
    "jpeg endless scans": "200 passes over the picture",
}
STILL_A_PHOTO = set(hostile_files()) - set(TOO_MANY)


@pytest.mark.parametrize("name", TOO_MANY)
def test_a_structure_without_end_is_refused_with_its_limit(name: str) -> None:
    message = refusal(hostile_files()[name])
    assert f"at most {TOO_MANY[name]} were expected" in message
    assert message.endswith("upload that.")


@pytest.mark.parametrize("name", sorted(STILL_A_PHOTO))
def test_a_photo_with_costly_metadata_is_read_without_it(name: str) -> None:
    photo = read_photo(hostile_files()[name])
    assert photo.pixels.shape == (48, 64, 3)
    assert np.abs(photo.pixels.astype(int) - np.asarray(picture()).astype(int)).mean() < 8


@pytest.mark.slow
@pytest.mark.parametrize("name", hostile_files())
def test_taking_a_file_apart_needs_little_more_memory_than_the_file(name: str) -> None:
    data = hostile_files()[name]
    tracemalloc.start()
    try:
        parse_container(recognize(data), data)  # type: ignore[arg-type]  # one of the literals
    except UnreadableImage:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 3 * len(data) + 20_000_000
