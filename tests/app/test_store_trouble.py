"""A case file that is not as it was: each page says so, and nothing of it is lost."""

import os
import time
from pathlib import Path

from streamlit.testing.v1 import AppTest

from skinlens.store import CaseStore, NewPatient
from tests.app.conftest import read
from tests.store import samples


def kept(home: Path, count: int) -> CaseStore:
    store = CaseStore(home)
    store.acknowledge_disclaimer()
    for seed in range(count):
        photo = samples.photo(seed)
        store.save_case(
            photo,
            samples.QUALITY,
            samples.prediction(),
            samples.three_explanations(photo),
            patient=NewPatient(f"P-{seed}"),
            lesion=("back", ""),
            taken_on="2024-05-31",
        )
    return store


def test_a_start_on_an_emptied_database_keeps_all_photos_and_says_so(app: AppTest, skinlens_home: Path) -> None:
    store = kept(skinlens_home, 10)
    files = {path: path.read_bytes() for path in skinlens_home.glob("files/*/*")}
    assert len(files) == 50
    for path in files:
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    store.database.write_bytes(b"")
    shown = read(app.run())
    assert "The case file cannot be used" in shown
    assert "is missing or empty, but there are 50 photos and maps in" in shown
    assert {path: path.read_bytes() for path in skinlens_home.glob("files/*/*")} == files


def test_a_lost_photo_is_said_on_each_page(app: AppTest, skinlens_home: Path) -> None:
    store = kept(skinlens_home, 1)
    for path in store.home.glob("files/*/*.png"):
        path.unlink()
    for page in ("pages/analyse.py", "pages/history.py"):
        assert "Photos or maps are missing, of 1 case (1)." in read(app.switch_page(page).run())
