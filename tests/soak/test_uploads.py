"""Some hundred changed uploads; ``uploads.py`` by itself makes a hundred thousand."""

import pytest

from skinlens import background
from skinlens.errors import UnreadableImage
from skinlens.imaging import intake
from skinlens.imaging.intake import isolation
from tests.soak import uploads

pytestmark = pytest.mark.slow
FILES = 520
"""Twenty of each kind of file."""


def test_changed_uploads_are_read_or_refused() -> None:
    figures = uploads.soak(FILES, seed=0, minutes=5)
    assert (figures["files"], figures["wrong"], figures["ended"]) == (FILES, 0, 0)
    assert figures["read"] > FILES // 20
    assert figures["refused"] > FILES // 4


@pytest.mark.parametrize("name", uploads.whole_files())
def test_a_file_is_taken_apart_without_loss(name: str) -> None:
    data = uploads.whole_files()[name]
    parts = uploads._TAKEN_APART[name.partition(" ")[0]](data)
    assert b"".join(parts) == data
    assert len(parts) > 1


def test_an_error_that_is_no_refusal_would_be_found(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = uploads.whole_files()
    expected = {data: intake.read_photo(data) for data in whole.values()}
    monkeypatch.setattr(uploads, "read_photo", lambda data: expected[data])
    assert uploads.soak(5, seed=0, minutes=1)["wrong"] == 5


@pytest.mark.parametrize("call", ["start", "_write", "_fill"])
@pytest.mark.parametrize("error", [MemoryError(), OSError(12, "Cannot allocate memory")])
def test_what_fails_between_the_processes_is_a_refusal_and_the_next_file_is_read(
    monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    """The process is started, the file is written to it, and its answer is read."""
    data = uploads.whole_files()["png"]
    expected = intake.read_photo(data).sha256
    plain = None if call == "start" else getattr(isolation._Process, call)
    before = {"start": 0, "_write": 1, "_fill": 2}[call]
    calls = 0

    def fails(*given: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls > before:
            raise error
        return plain(*given)

    with monkeypatch.context() as patch:
        if call == "start":
            patch.setattr(isolation, "_pool", isolation._Pool())
            patch.setattr(background, "start_worker", fails)
        else:
            patch.setattr(isolation._Process, call, fails)
        with pytest.raises(UnreadableImage, match=r"\.$"):
            intake.read_photo(data)
    assert intake.read_photo(data).sha256 == expected
