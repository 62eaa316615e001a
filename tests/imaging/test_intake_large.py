"""50 megapixels are read, if need be at half their size, or refused for their memory: never as damaged."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from skinlens.errors import UnreadableImage
from skinlens.imaging.intake import isolation, read_photo
from skinlens.imaging.intake.decode import decode
from skinlens.imaging.intake.sniffing import TOO_MUCH_MEMORY
from tests.intake_files import encoded, picture, refusal, srgb_profile

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the kernel of this platform holds no limit of memory")
HALVED = "The photo was read at half its width and height: more would take too much memory."


def wide(width_px: int, height_px: int, mode: str = "RGB") -> Image.Image:
    """The smooth picture, large: each pixel became a block."""
    return picture().resize((width_px, height_px), Image.Resampling.NEAREST).convert(mode)


def peak_mb(pool: isolation._Pool) -> int:
    (process,) = pool._all
    peak_kb = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process._popen.pid}/status").read_text())
    assert peak_kb is not None
    return int(peak_kb[1]) // 1000


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> isolation._Pool:
    """Processes of this test alone."""
    own = isolation._Pool()
    monkeypatch.setattr(isolation, "_pool", own)
    return own


@LINUX
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGB", "CMYK"])
def test_a_progressive_jpeg_of_50_megapixels_is_read_at_half_its_size(mode: str, pool: isolation._Pool) -> None:
    """At full color: its coefficients alone take 300 or 400 MB."""
    data = encoded(wide(8661, 5772, mode), "JPEG", progressive=True, subsampling=0)
    photo = read_photo(data)
    assert photo.pixels.shape == (2886, 4331, 3)
    assert photo.notes[0] == HALVED
    assert peak_mb(pool) + photo.pixels.nbytes / 1e6 + len(data) / 1e6 < 600
    pool.end()
    if mode == "RGB":
        small = np.asarray(picture()).astype(int)
        assert np.abs(photo.pixels[30::60, 33::68][:48, :63].astype(int) - small[:, :63]).mean() < 4


@LINUX
@pytest.mark.slow
def test_a_jpeg_whose_memory_runs_out_is_read_at_half_its_size(
    pool: isolation._Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    less = "from skinlens.imaging.intake import limits, worker; limits.MAX_DECODE_MB = 85; worker.main()"
    monkeypatch.setattr(isolation, "_COMMAND", f"import sys; sys.path.insert(0, sys.argv[1]); {less}")
    photo = read_photo(encoded(wide(2000, 1500), "JPEG", progressive=True, subsampling=0))
    pool.end()
    assert photo.pixels.shape == (750, 1000, 3)
    assert photo.notes == (HALVED,)


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_a_webp_with_too_many_pixels_for_the_memory_is_not_called_damaged(mode: str, lossless: bool) -> None:
    data = bytearray(encoded(picture().convert(mode), "WEBP", lossless=lossless, icc_profile=srgb_profile()))
    data[24:30] = (8000 - 1).to_bytes(3, "little") + (6000 - 1).to_bytes(3, "little")
    assert refusal(bytes(data)) == TOO_MUCH_MEMORY
    assert "damaged" not in TOO_MUCH_MEMORY
    assert TOO_MUCH_MEMORY.endswith("an ordinary JPEG (not a progressive one), or smaller, and upload that.")


@pytest.mark.slow
def test_a_webp_of_24_megapixels_is_read() -> None:
    assert read_photo(encoded(wide(6000, 4000), "WEBP", method=0)).pixels.shape == (4000, 6000, 3)


def test_a_large_deep_heic_whose_decoder_gives_up_is_not_called_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Libheif has one message for both. Plain ones have the memory up to the limit: those are damaged."""
    deep, plain = (bytearray(encoded(picture(), "HEIC", quality=90, chroma=chroma)) for chroma in (444, 420))
    for data in (deep, plain):
        at = data.index(b"mdat") + 8
        data[at : at + 40] = b"\xff" * 40
    for data, px, words in ((deep, 1, "more memory"), (deep, 10_000, "is damaged"), (plain, 1, "is damaged")):
        monkeypatch.setattr(sys.modules[decode.__module__], "_ROOMY_PX", px)
        with pytest.raises(UnreadableImage, match=words):
            list(decode(bytes(data)).bands)
