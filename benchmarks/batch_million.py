"""Memory of ``skinlens batch`` over a million photos: ``python -m benchmarks.batch_million [--photos N]``.

A folder of links to drawn lesions. The command begins on it and is killed; the rows of all photos but the last 500 are
then copied into its journal, as a month of work would have left them; and the command goes on to the end: it walks the
folder twice, reads what is left and writes the table of all. Measured is the most memory that the command and its
readers take together, and the time, which is that of the walk and the table. Nothing is asserted but that no row is
lost or doubled.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq

from benchmarks.batch import drawn_jpeg, watched
from benchmarks.machine import ROOT, machine
from skinlens.batch.journal import journal_path
from skinlens.batch.sources import source_of

LEFT = 500
"""Photos that are read once the command goes on."""
READ_S = 60
"""Seconds for which the command reads before it is killed."""
DRAWN, LINKS, IN_A_FOLDER = 40, 50_000, 1_000
"""A file takes no more than 65,000 links."""
RESULT = ROOT / "benchmarks" / "results" / "batch_million.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=1_000_000)
    count = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as folder:
        photos, out = Path(folder) / "photos", Path(folder) / "results.parquet"
        _link(photos, count)
        command = [sys.executable, "-m", "skinlens", "batch", str(photos), "--out", str(out)]
        _begin(command, journal_path(out))
        _fill(photos, journal_path(out), count - LEFT)
        measured = watched(command)
        ids = pq.read_table(out, columns=["id"]).column(0).unique()
        assert len(ids) == pq.ParquetFile(out).metadata.num_rows == count
        result = {
            "machine": machine(),
            "photos": count,
            "left": LEFT,
            **measured,
            "table_mb": out.stat().st_size // 10**6,
        }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def _link(photos: Path, count: int) -> None:
    photos.mkdir()
    files = [photos.with_name(f"{seed}.jpg") for seed in range(max(DRAWN, count // LINKS + 1))]
    for seed, file in enumerate(files):
        file.write_bytes(drawn_jpeg(seed))
    for number in range(count):
        inner = photos / f"{number // IN_A_FOLDER:04d}"
        if number % IN_A_FOLDER == 0:
            inner.mkdir()
        os.link(files[number % len(files)], inner / f"{number:07d}.jpg")


def _begin(command: list[str], journal: Path) -> None:
    """Have the command read some photos, and kill it."""
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not journal.exists():
            assert process.poll() is None
            time.sleep(1)
        time.sleep(READ_S)
        process.kill()  # what was committed is there


def _fill(photos: Path, journal: Path, upto: int) -> None:
    """Copy one of the rows for each photo up to that number which has none."""
    with closing(sqlite3.connect(journal)) as db, db:
        (line,) = db.execute("SELECT row FROM photo WHERE failed = 0 LIMIT 1").fetchone()
        row = json.loads(line)

        def lines() -> Iterator[tuple[str, str, str]]:
            for number, entry in enumerate(source_of(str(photos)).entries()):
                if number < upto:
                    yield entry.id, entry.stamp(), json.dumps(row | {"id": entry.id}, ensure_ascii=False)

        db.executemany("INSERT OR IGNORE INTO photo (id, stamp, failed, row) VALUES (?, ?, 0, ?)", lines())


if __name__ == "__main__":
    main()
