"""``skinlens rescore``: a second release beside the stored results, and what changed."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from skinlens import pipeline
from skinlens.cli import main
from skinlens.drift import Answer, Pair, drift
from skinlens.errors import NotAllowed
from skinlens.imaging.intake import photo_from_pixels
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import load_classifier
from skinlens.inference.release import load_manifest
from skinlens.labels import CODES, DISCLAIMER
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit

SITES = ("back", "back", "face")


@pytest.fixture
def later(release: Path, tmp_path: Path) -> Path:
    """The same network under another temperature and a cut-off that nothing is below."""
    folder = tmp_path / "later"
    shutil.copytree(release, folder)
    manifest = folder / "manifest.json"
    content = json.loads(manifest.read_text(encoding="utf-8"))
    content["temperature"] *= 3
    content["melanoma_threshold"]["value"] = 1e-9
    content["version"] = "9.9.9"
    manifest.write_text(json.dumps(content), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_a_later_release_is_kept_beside_the_stored_result(
    release: Path, later: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, classifier = CaseStore(), load_classifier(release)
    cases = [
        store.save_case(
            pipeline.analyze_photo(photo_from_pixels(draw_synthetic_lesion(number)[::2, ::2], "drawn"), classifier),
            NewVisit(NewPatient(f"P-{number}"), NewLesion(site), "2025-01-01"),
        )
        for number, site in enumerate(SITES)
    ]
    report = tmp_path / "drift.pdf"
    command = ["rescore", "--weights", str(later), "--report", str(report)]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "3 cases scored again." in said
    assert DISCLAIMER in said
    assert report.read_bytes().startswith(b"%PDF")
    assert [store.case(case.visit.id) for case in cases] == cases  # what is stored stays
    hashes = (load_manifest(later).sha256, load_manifest(release).sha256)
    assert len(set(hashes)) == 2
    model = load_classifier(later)
    for case in cases:
        (newer,) = store.rescored(case.visit.id)
        expected = model.predict(store.photo(case.visit.id))
        assert newer.release_sha256 == hashes[0]
        assert newer.model.version == "9.9.9"
        assert newer.probs == pytest.approx(expected.probs, abs=1e-3)
        assert newer.flagged
        assert newer.probs != pytest.approx(case.visit.prediction.probs, abs=1e-3)
    pairs = store.rescored_pairs(hashes[0])
    assert {pair.camera for pair in pairs} == {f"drawn, {store.photo(1).width_px} × {store.photo(1).height_px} px"}
    found = drift(pairs)
    assert [(group.name, group.cases) for group in found.by_site] == [("back", 2), ("face", 1)]
    assert main(command) == 0  # all are done
    assert "0 cases scored again." in capsys.readouterr().out
    assert [entry.action for entry in store.audit_entries()].count("rescored") == 1
    (one,) = store.rescored_releases()
    assert (one.release_sha256, one.cases) == (hashes[0], 3)
    with pytest.raises(NotAllowed):
        CaseStore(role="reviewer").keep_rescored(store.rescored(1))
    _pages_show_it(cases[0].visit.id)
    store.delete_visit(cases[0].visit.id)
    assert store.rescored(cases[0].visit.id) == ()
    assert len(store.rescored_pairs(hashes[0])) == 2


def _pages_show_it(number: int) -> None:
    def performance() -> None:
        from skinlens.store import CaseStore
        from skinlens.ui.performance import drift

        drift.section(CaseStore())

    page = AppTest.from_function(performance).run()
    assert not page.exception
    text = " ".join(one.value for one in page.markdown)
    assert "3 cases scored again" in text

    def visit(number: int) -> None:
        from skinlens.store import CaseStore
        from skinlens.ui.visit import newer

        newer.section(CaseStore(), number)

    page = AppTest.from_function(visit, args=(number,)).run()
    assert not page.exception
    assert not page.caption  # on request
    page.toggle[0].set_value(True).run()
    assert "9.9.9" in page.caption[0].value.replace("\\", "")


STORED = Answer("nv", 0.1, flagged=False, reliable=True)
PAIRS = (
    Pair(1, "back", "JPEG, 600 × 450 px", STORED, STORED),
    Pair(2, "back", "JPEG, 600 × 450 px", STORED, Answer("mel", 0.5, flagged=True, reliable=True)),
    Pair(3, "face", "PNG, 400 × 300 px", STORED, Answer("bkl", 0.2, flagged=False, reliable=True)),
    Pair(4, "face", "PNG, 400 × 300 px", STORED, Answer("mel", 0.9, flagged=True, reliable=False)),
    Pair(5, "face", "PNG, 400 × 300 px", Answer("nv", 0.6, flagged=True, reliable=True), STORED),
)


def test_drift_counts_by_site_and_camera() -> None:
    found = drift(PAIRS)
    whole = found.whole
    assert (whole.cases, whole.compared, whole.changed_class) == (5, 4, 2)
    assert (whole.crossed_up, whole.crossed_down) == (1, 1)
    assert whole.mean_shift == pytest.approx((0 + 0.4 + 0.1 - 0.5) / 4)
    back, face = found.by_site[1], found.by_site[0]
    assert (face.name, face.cases, face.compared, face.changed_class, face.crossed_down) == ("face", 3, 2, 1, 1)
    assert (back.name, back.crossed_up) == ("back", 1)
    assert [group.name for group in found.by_camera] == ["PNG, 400 × 300 px", "JPEG, 600 × 450 px"]
    assert [pair.visit_id for pair in found.changed] == [5, 2, 3]
    only = replace(PAIRS[3], visit_id=9)
    assert drift([only]).whole.mean_shift is None
    assert set(CODES) >= {pair.stored.label for pair in PAIRS}
