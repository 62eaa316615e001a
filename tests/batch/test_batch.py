"""``skinlens batch``: a row for each photo, whatever the source, whatever goes wrong, and whenever it is stopped."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from skinlens import pipeline
from skinlens.background import cores
from skinlens.batch import journal
from skinlens.batch import run as batch_run
from skinlens.batch.journal import journal_path
from skinlens.batch.result_row import COLUMNS
from skinlens.batch.run import Batch
from skinlens.batch.scorer import reading_ahead
from skinlens.batch.sources import Entry, Source
from skinlens.cli import main
from skinlens.errors import BatchError
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import Classifier, load_classifier
from skinlens.labels import CODES, DISCLAIMER, INDEX
from skinlens.records import LIKENESS
from skinlens.store import CaseStore, NewLesion, NewPatient, NewVisit
from tests.closeness import PROBABILITY

pytestmark = pytest.mark.slow

KILLED = """
import sys
from skinlens.batch import run
run.SHARD = 8
from skinlens.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty photos in folders of two depths, one that is none, and what is not read."""
    root = tmp_path_factory.mktemp("photos")
    (root / "deep" / "er").mkdir(parents=True)
    for number in range(20):
        folder = root / "deep" / "er" if number % 2 else root
        picture = Image.fromarray(draw_synthetic_lesion(number)).resize((240, 180))
        picture.save(folder / f"p{number:02d}.jpg", quality=90)
    (root / "=cmd.jpg").write_bytes(b"\xff\xd8\xff, and then nothing")
    (root / "._p00.jpg").write_bytes(b"\0\5\x16\7")
    (root / "notes.txt").write_text("p00 is of the back")
    return root


@pytest.fixture(scope="module")
def classifier(release: Path) -> Classifier:
    return load_classifier(release)


def test_a_row_for_each_photo_of_a_folder(
    release: Path, photos: Path, classifier: Classifier, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.parquet"
    options = ["--features", "--views", "--weights", str(release)]
    assert main(["batch", str(photos), "--out", str(out), *options]) == 1
    said = capsys.readouterr().out
    assert "20 photos read, 1 photo not" in said
    assert "as not named as photos or named twice: 1 file." in said
    assert DISCLAIMER in said
    table = pq.read_table(out)
    assert table.schema.metadata[b"disclaimer"].decode() == DISCLAIMER
    assert [*table.column_names] == [*(column.name for column in COLUMNS), "features"]
    rows = {row["id"]: row for row in table.to_pylist()}
    assert list(rows) == sorted(rows)
    assert len(rows) == 21
    bad = rows.pop("=cmd.jpg")
    assert "damaged" in bad["error"]
    assert bad["prob_mel"] is None
    assert not journal_path(out).exists()
    for name, row in rows.items():
        analysis = pipeline.analyze_file(photos / name, classifier)
        prediction, probs = analysis.prediction, [row[f"prob_{code}"] for code in CODES]
        np.testing.assert_allclose(probs, prediction.probs, rtol=0, atol=PROBABILITY)
        assert row["photo_sha256"] == analysis.photo.sha256
        assert row["melanoma_above_cutoff"] == prediction.above_melanoma_threshold
        assert row["model_sha256"] == prediction.model.sha256
        assert prediction.prediction_set is not None
        assert row["prediction_set"].split() == list(prediction.prediction_set.codes)
        for check in analysis.quality.checks:
            if check.name == LIKENESS:
                assert row["ood_distance"] == pytest.approx(check.value, rel=1e-3)
                assert row["out_of_distribution"] == (not check.passed)
            else:
                found = row[f"quality_{check.name}"], row[f"quality_{check.name}_passed"]
                assert found == (check.value, check.passed)
        assert row["quality_passed"] == analysis.quality.passed
        assert (row["verdict"] == "Unreliable") == (not analysis.quality.reliable)
        turned = classifier.turned_probs(analysis.photo)[:, INDEX["mel"]]
        assert row["melanoma_prob_lowest"] == pytest.approx(turned.min(), abs=PROBABILITY)
        assert row["melanoma_prob_highest"] == pytest.approx(turned.max(), abs=PROBABILITY)
        assert analysis.features is not None
        np.testing.assert_allclose(row["features"], analysis.features, atol=1e-3 * float(analysis.features.max()))


def test_csv_and_json_lines_hold_the_same(release: Path, photos: Path, tmp_path: Path) -> None:
    for name in ("r.csv", "r.jsonl"):
        assert main(["batch", str(photos), "--out", str(tmp_path / name), "--weights", str(release)]) == 1
    with (tmp_path / "r.csv").open(encoding="utf-8", newline="") as file:
        cells = list(csv.DictReader(file))
    lines = [json.loads(line) for line in (tmp_path / "r.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == sorted(line["id"] for line in lines)
    assert cells[0]["id"] == "'=cmd.jpg"  # no spreadsheet takes it for a formula
    assert lines[0]["id"] == "=cmd.jpg"
    for cell, line in zip(cells, lines, strict=True):
        assert cell["disclaimer"] == line["disclaimer"] == DISCLAIMER
        assert cell["prob_mel"] == ("" if line["prob_mel"] is None else repr(line["prob_mel"]))
        assert (cell["melanoma_prob_lowest"], line["melanoma_prob_lowest"]) == ("", None)  # not asked for
        assert cell["quality_passed"] == {True: "true", False: "false", None: ""}[line["quality_passed"]]


def test_a_list_and_a_zip(release: Path, photos: Path, tmp_path: Path) -> None:
    names = ["deep/er/p01.jpg", "p00.jpg", "lost.jpg"]
    (photos / "list.txt").write_text("\n".join([*names, "", names[0]]), encoding="utf-8")
    archive = tmp_path / "photos.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(photos / "p00.jpg", "inner/p00.jpg")
        packed.write(photos / "deep" / "er" / "p01.jpg", "p01.jpg")
        packed.writestr("__MACOSX/._p00.jpg", b"\0\5\x16\7")
        packed.write(photos / "p00.jpg", "../../up.jpg")  # read like any other: nothing is unpacked to the disk
        packed.writestr("huge.jpg", bytes(26 * 1024 * 1024), compress_type=zipfile.ZIP_DEFLATED)
    found = {}
    for source in (photos / "list.txt", archive):
        out = tmp_path / f"{source.name}.jsonl"
        assert main(["batch", str(source), "--out", str(out), "--weights", str(release)]) == 1
        found[source.suffix] = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    (photos / "list.txt").unlink()
    assert [row["id"] for row in found[".txt"]] == names  # in their order, each once
    assert "No such file" in found[".txt"][2]["error"]
    by_id = {row["id"]: row for row in found[".zip"]}
    assert set(by_id) == {"inner/p00.jpg", "p01.jpg", "huge.jpg", "../../up.jpg"}
    assert "too large" in by_id["huge.jpg"]["error"]
    assert by_id["inner/p00.jpg"]["photo_sha256"] == found[".txt"][1]["photo_sha256"]


def test_the_case_file(release: Path, photos: Path, classifier: Classifier, tmp_path: Path) -> None:
    """A row for each case by its number, with what the case holds; a lost picture is a row with a sentence; and the log
    has it that so many cases left.
    """
    store = CaseStore()
    shown = [pipeline.analyze_file(photos / f"p{number:02d}.jpg", classifier) for number in (0, 2, 4)]
    for number, analysis in enumerate(shown):
        store.save_case(analysis, NewVisit(NewPatient(f"P-{number}"), NewLesion("back"), "2025-01-01"))
    with store._reading() as db:
        ((lost,),) = db.execute("SELECT photo_file FROM visit WHERE id = 2").fetchall()
    store.files.path(lost).unlink()
    cases = [store.case(number) for number in (1, 2, 3)]
    out = tmp_path / "cases.jsonl"
    assert main(["batch", "store", "--out", str(out), "--weights", str(release)]) == 1
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == ["1", "2", "3"]
    for row, analysis in zip(rows[::2], shown[::2], strict=True):
        assert row["photo_sha256"] == analysis.photo.sha256
        assert row["prob_mel"] == pytest.approx(analysis.prediction.prob("mel"), abs=1e-6)
        assert not row["error"]
    assert "The file with the picture of case 2 is missing" in rows[1]["error"]
    assert rows[1]["prob_mel"] is None
    noted = [(one.kind, one.action, one.object_number, one.actor) for one in store.audit_entries()]
    assert noted[-1] == ("visits", "exported", 3, "local user")
    assert [store.case(number) for number in (1, 2, 3)] == cases
    assert "P-0" not in out.read_text(encoding="utf-8")


def test_cases_that_left_without_an_entry_in_the_log_say_so_in_the_exit_status(
    release: Path,
    photos: Path,
    classifier: Classifier,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    analysis = pipeline.analyze_file(photos / "p00.jpg", classifier)
    CaseStore().save_case(analysis, NewVisit(None, NewLesion("back"), "2025-01-01"))
    monkeypatch.setattr(CaseStore, "note_export_of_many", lambda _, count: f"{count} case is not in the log.")
    assert main(["batch", "store", "--out", str(tmp_path / "cases.csv"), "--weights", str(release)]) == 1
    assert "1 case is not in the log." in capsys.readouterr().err


@pytest.mark.usefixtures("few_resamples")
def test_labels_give_the_figures_of_evaluate(
    release: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels = tmp_path / "labels.csv"
    lines = [f"p{number:02d},{CODES[number % 7]}" for number in range(20)]
    labels.write_text("\n".join(["image_id,dx", *lines]), encoding="utf-8")
    measured = tmp_path / "measured.json"
    common = ["--labels", str(labels), "--weights", str(release)]
    out = ["--out", str(tmp_path / "r.csv"), "--json", str(measured)]
    assert main(["batch", str(photos), *out, *common]) == 1
    capsys.readouterr()
    again = tmp_path / "evaluated.json"
    assert main(["evaluate", "--images", str(photos / "deep"), "--json", str(again), *common]) == 0
    assert (
        main(["batch", str(photos / "deep"), "--out", str(tmp_path / "d.csv"), "--json", str(measured), *common]) == 0
    )
    assert capsys.readouterr().out.count("10 photos of labels.csv, as there is no file of that name") == 2
    batch, evaluated = (json.loads(path.read_text(encoding="utf-8")) for path in (measured, again))
    assert batch["n"] == evaluated["n"] == 10
    assert batch["missing_ids"] == evaluated["missing_ids"]
    assert batch["confusion"] == evaluated["confusion"]
    assert batch["balanced_accuracy"] == evaluated["balanced_accuracy"]
    assert batch["ece"]["value"] == pytest.approx(evaluated["ece"]["value"], abs=1e-4)


def test_work_that_was_killed_is_continued(release: Path, photos: Path, tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    for number in range(150):
        os.link(photos / f"p{number % 10 * 2:02d}.jpg", many / f"{number:04d}.jpg")
    out = tmp_path / "results.jsonl"
    command = [sys.executable, "-c", KILLED, "batch", str(many), "--out", str(out), "--weights", str(release)]
    kept = journal_path(out)
    for size in (30_000, 60_000):
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 120
            while (kept.stat().st_size if kept.exists() else 0) < size:
                assert process.poll() is None, "it was done before it could be killed"
                assert time.monotonic() < deadline
                time.sleep(0.005)
            readers = _children(process.pid)
            process.send_signal(signal.SIGKILL)
        assert not out.exists()
        assert _gone(readers), "a reader outlived the command"
    finished = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert finished.returncode == 0, finished.stderr
    assert "of the rows were there from before" in finished.stdout
    rows = [json.loads(line) for line in out.read_text(encoding="utf-8").splitlines()]
    assert [row["id"] for row in rows] == [f"{number:04d}.jpg" for number in range(150)]
    assert len({row["read_at"] for row in rows}) > 1
    assert not kept.exists()


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(one) for one in listed.read_text().split()] if listed.exists() else []


def _gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 20
    while any(Path(f"/proc/{pid}").exists() and _state(pid) != "Z" for pid in pids):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


class _Watched(Source):
    """Entries that cannot be read, and how far they are drawn ahead of the rows that are made of them."""

    def __init__(self, count: int) -> None:
        super().__init__("watched")
        self.drawn, self.made, self.most_ahead, self._count = 0, 0, 0, count

    def count(self) -> int:
        return self._count

    def entries(self) -> Iterator[Entry]:
        for number in range(self._count):
            self.drawn += 1
            self.most_ahead = max(self.most_ahead, self.drawn - self.made)
            yield Entry(f"{number:06d}", _unreadable, str)


def _unreadable() -> str:
    raise OSError(5, "Input/output error")


def test_entries_are_drawn_as_they_are_needed(classifier: Classifier, tmp_path: Path) -> None:
    """So that memory does not grow with their number."""
    source = _Watched(3000)

    def told(count: int) -> None:
        source.made += count

    found = Batch(source, classifier, tmp_path / "r.csv").run(told, lambda *_: None, lambda _: None)
    assert (found.photos, found.failed, found.status) == (3000, 3000, 2)
    assert source.most_ahead <= reading_ahead(cores())
    assert "Input/output error" in (tmp_path / "r.csv").read_text(encoding="utf-8")


def test_unfinished_work_is_not_mixed_with_other(release: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_run.table, "write", _disk_is_full)
        assert main(["batch", str(photos), "--out", str(out), "--weights", str(release)]) == 2
    assert journal_path(out).exists()
    assert main(["batch", str(photos / "deep"), "--out", str(out), "--weights", str(release)]) == 2
    assert not out.exists()
    assert main(["batch", str(photos), "--out", str(out), "--weights", str(release)]) == 1
    lines = out.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 22
    assert main(["batch", str(photos), "--out", str(out), "--weights", str(release)]) == 2  # it is there already
    assert out.read_text(encoding="utf-8").splitlines() == lines
    assert main(["batch", str(photos / "deep"), "--out", str(out), "--replace", "--weights", str(release)]) == 0
    assert len(out.read_text(encoding="utf-8").splitlines()) == 11


def test_photos_that_changed_meanwhile_are_read_again_and_those_that_are_gone_leave_the_table(
    release: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, archive = tmp_path / "some", tmp_path / "some.zip"
    folder.mkdir()
    names = [f"p{number:02d}.jpg" for number in (0, 2, 4, 6)]
    for name in names:
        shutil.copy(photos / name, folder / name)

    def pack(*members: tuple[str, str]) -> None:
        with zipfile.ZipFile(archive, "w") as packed:
            for name, taken in members:
                packed.write(photos / taken, name)

    pack(*((name, name) for name in names))
    command = {
        source: ["batch", str(source), "--out", str(tmp_path / f"{source.name}.jsonl"), "--weights", str(release)]
        for source in (folder, archive)
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batch_run.table, "write", _disk_is_full)
        assert [main(one) for one in command.values()] == [2, 2]
    capsys.readouterr()
    (folder / names[0]).unlink()
    shutil.copy(photos / "p08.jpg", folder / names[1])
    shutil.copy(photos / "p08.jpg", folder / "new.jpg")
    pack((names[1], "p08.jpg"), *((name, name) for name in names[2:]), ("new.jpg", "p08.jpg"))
    for source, one in command.items():
        assert main(one) == 0
        said = capsys.readouterr().out
        assert "4 of the rows were there from before" in said
        assert "Read again, as changed since the earlier run: 1 photo." in said
        assert f"Removed from the table, as not there any more since the earlier run: 1 photo ({names[0]})." in said
        text = (tmp_path / f"{source.name}.jsonl").read_text(encoding="utf-8")
        rows = {row["id"]: row for row in map(json.loads, text.splitlines())}
        assert set(rows) == {"new.jpg", *names[1:]}
        assert rows[names[1]]["photo_sha256"] == rows["new.jpg"]["photo_sha256"]
        assert rows[names[1]]["prob_mel"] == pytest.approx(rows["new.jpg"]["prob_mel"], abs=PROBABILITY)
        assert len({row["photo_sha256"] for row in rows.values()}) == 3


def test_two_commands_do_not_write_one_table(release: Path, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.csv"
    with journal.opened(out, {"source": "another command"}):
        for further in ([], ["--replace"]):
            assert main(["batch", str(photos), "--out", str(out), "--weights", str(release), *further]) == 2
    assert not out.exists()


def _disk_is_full(*_: object, **__: object) -> None:
    raise BatchError("The disk is full.")


@pytest.mark.parametrize(
    ("source", "out", "words"),
    [
        ("nowhere", "r.csv", "There is no folder or file nowhere"),
        ("empty", "r.csv", "There is no photo in"),
        ("empty", "r.xlsx", "Expected a file that ends in .parquet, .csv, .jsonl"),
        ("empty", "none/r.csv", "There is no folder none"),
        ("photo.jpg", "r.csv", "For one photo: skinlens predict"),
    ],
)
def test_what_cannot_be_done_is_said(
    release: Path,
    source: str,
    out: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff")
    assert main(["batch", source, "--out", out, "--weights", str(release)]) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("r.")] in ([], ["r.csv.unfinished"])
