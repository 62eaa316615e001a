"""Encrypted backups: opened with the passphrase alone, nothing in the clear outside, trouble in plain words."""

import errno
import zipfile
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest

from skinlens.errors import Cancelled, InvalidEntry, StoreError
from skinlens.store import archive, encryption
from skinlens.store.restore import in_the_clear, restore
from tests.store.backups import refused, tree

pytestmark = pytest.mark.slow
SECRET = "correct horse battery"


@pytest.fixture
def sealed(stocked, folder) -> Path:
    """An encrypted backup of ``stocked``."""
    return Path(stocked.back_up(folder, passphrase=SECRET).path)


def test_it_comes_back_whole(stocked, sealed, tmp_path):
    done = restore(sealed, tmp_path / "new", passphrase=SECRET)
    assert (done.cases, done.files, done.missing) == (3, 9, ())
    assert tree(tmp_path / "new" / "files") == tree(stocked.home / "files")
    assert list((tmp_path / "new").glob(".restore*")) == []
    assert stocked.last_backup().encrypted
    assert type(stocked)(tmp_path / "new").last_backup().encrypted


def test_nothing_stands_in_it_in_the_clear(cheap, stocked, sealed, folder):
    content = sealed.read_bytes()
    for name, picture in tree(stocked.home / "files").items():
        assert picture[:64] not in content
        assert Path(name).stem.encode() not in content
    assert b"SQLite format" not in content
    assert [one.name for one in folder.iterdir()] == [sealed.name]
    assert list(stocked.home.glob(".backup*")) == []


def test_no_file_with_a_name_holds_it_in_the_clear_while_it_is_made_or_opened(cheap, stocked, folder, tmp_path):
    """Whoever is killed can remove nothing."""
    seen: list[bytes] = []
    photo = next(iter(tree(stocked.home / "files").values()))

    def look(_: float) -> None:
        for path in (*stocked.home.iterdir(), *folder.iterdir(), *tmp_path.glob("new/*")):
            if path.is_file() and not path.name.startswith("cases.db"):
                seen.append(path.read_bytes())

    made = Path(stocked.back_up(folder, progress=look, passphrase=SECRET).path)
    with in_the_clear(made, tmp_path / "new", SECRET) as clear:
        clear.seek(0)
        assert photo in clear.read()
        look(1.0)
    assert len(seen) > 10
    assert not any(photo in content for content in seen)


def test_it_is_opened_without_skinlens_as_its_readme_says(sealed, tmp_path):
    with zipfile.ZipFile(sealed) as found:
        assert "Not a medical device" in found.read("README.txt").decode()
        assert "age --decrypt --output key.txt key.age" in found.read("README.txt").decode()
        key = pyrage.x25519.Identity.from_str(pyrage.passphrase.decrypt(found.read("key.age"), SECRET).decode())
        clear = pyrage.decrypt(found.read("backup.zip.age"), [key])
    (tmp_path / "backup.zip").write_bytes(clear)
    assert archive.verify(tmp_path / "backup.zip", lambda _: None).cases == 3


def test_another_passphrase_or_none_changes_nothing(sealed, stocked):
    before = tree(stocked.home)
    with refused("cannot be opened with this passphrase. Nothing was changed."):
        restore(sealed, stocked.home, replace=True, passphrase="correct horse batterz")
    with refused("is encrypted, and no passphrase was given."):
        restore(sealed, stocked.home, replace=True)
    assert tree(stocked.home) == before


@pytest.mark.parametrize("where", [0.3, 0.6, 0.9])
def test_a_changed_byte_is_found(cheap, sealed, tmp_path, where):
    content = bytearray(sealed.read_bytes())
    content[int(where * len(content))] ^= 1
    sealed.write_bytes(content)
    with refused(f"{sealed} is damaged"):
        restore(sealed, tmp_path / "new", passphrase=SECRET)
    assert not (tmp_path / "new" / "cases.db").exists()


def test_one_that_was_cut_off_is_no_backup(cheap, sealed, tmp_path):
    sealed.write_bytes(sealed.read_bytes()[:-1000])
    with pytest.raises(StoreError, match="is damaged, not fully copied, or no ZIP file at all"):
        restore(sealed, tmp_path / "new", passphrase=SECRET)


@pytest.mark.parametrize("share", [0.2, 0.7, 0.9])
def test_cancelled_it_leaves_nothing(cheap, stocked, folder, share):
    def stop(done: float) -> None:
        if done > share:
            raise Cancelled

    with pytest.raises(Cancelled):
        stocked.back_up(folder, progress=stop, passphrase=SECRET)
    assert list(folder.iterdir()) == []
    assert list(stocked.home.glob(".backup*")) == []
    assert stocked.last_backup() is None


def test_a_full_stick_is_said_in_its_own_sentence(cheap, stocked, folder, monkeypatch):
    class Full:
        def write(self, _: bytes) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

        def flush(self) -> None:
            pass

    copy = encryption._copy
    monkeypatch.setattr(encryption, "_copy", lambda step, source, _, keys, read: copy(step, source, Full(), keys, read))
    with refused(f"The backup cannot be written to {folder}: the disk is full. Free some space"):
        stocked.back_up(folder, passphrase=SECRET)
    assert list(folder.iterdir()) == []
    assert list(stocked.home.glob(".backup*")) == []


@pytest.mark.parametrize(
    ("typed", "again", "sentence"),
    [
        ("eleven char", None, "The passphrase has 11 characters; at least 12 are needed."),
        ("two lines of\ntext", None, "has more than one line"),
        (SECRET, "correct horse batterY", "The two passphrases differ."),
    ],
)
def test_what_cannot_be_a_passphrase_is_said(stocked, folder, typed, again, sentence):
    with pytest.raises(InvalidEntry, match=sentence):
        encryption.must_be_passphrase(typed, again)
    assert encryption.must_be_passphrase(SECRET, SECRET) == SECRET


def test_a_map_that_is_made_again_meanwhile_is_no_lost_file(stocked, folder):
    """Its file goes while the copy of the database still names it: the backup is begun anew, and is whole."""
    turns: list[float] = []

    def replace_map(done: float) -> None:
        if done > 0 and not turns:
            turns.append(done)
            stored = stocked.load(1).explanations[0]
            stocked.add_explanation(1, replace(stored, heatmap=1 - stored.heatmap))

    made = stocked.back_up(folder, progress=replace_map)
    assert turns
    assert made.missing == ()
    assert made.files == 9
