"""Photos a second of ``skinlens batch``: ``python -m benchmarks.batch [--photos N]``.

Drawn lesions as JPEG of 600 × 450 px on the disk, through the whole command (decoding, hash, quality, engine, table)
and, for comparison, through the engine alone in batches of 16; half of the photos on one core, and on Ray clusters of
1, 2 and 4 nodes of one worker each, all on this computer. Beside them stands what one photo costs a core in each
station, alone and with every core at the same work, which bounds what so many cores can do (``bound``), and the most
memory that the command and its readers take together. Nothing is asserted.
"""

import argparse
import io
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.machine import ROOT, machine
from skinlens.background import cores
from skinlens.imaging import quality
from skinlens.imaging.intake import read_trusted_photo
from skinlens.imaging.preprocess import model_view, normalize
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import load_classifier
from skinlens.inference.engine import BATCH

DRAWN = 16
NODES = (1, 2, 4)
"""Of the Ray clusters, each node with one worker."""
RESULT = ROOT / "benchmarks" / "results" / "batch.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=2000)
    count = parser.parse_args().photos
    with tempfile.TemporaryDirectory() as folder:
        drawn = [drawn_jpeg(seed) for seed in range(DRAWN)]
        photos = Path(folder) / "photos"
        photos.mkdir()
        for number in range(count):
            (photos / f"{number:06d}.jpg").write_bytes(drawn[number % DRAWN])
        command = _command(photos, Path(folder) / "results.parquet")
        half = Path(folder) / "half"
        half.mkdir()
        for photo in sorted(photos.iterdir())[: count // 2]:
            os.link(photo, half / photo.name)
        one_core = _command(half, Path(folder) / "half.parquet", only=1)
        few = Path(folder) / "few"
        few.mkdir()
        (few / "0.jpg").write_bytes(drawn[0])
        start = _command(few, Path(folder) / "few.parquet")["seconds"]
        on_ray = {nodes: _on_ray(nodes, half, few, Path(folder)) for nodes in NODES} if find_spec("ray") else {}
    model = load_classifier().engine.model_ref
    result = {
        "machine": machine(),
        "model": {"version": model.version, "sha256": model.sha256},
        "photos": count,
        "one_core": {
            **one_core,
            "photos_per_second_after_start": round((count // 2 - 1) / (one_core["seconds"] - start), 1),
        },
        "command": {
            **command,
            "photos_per_second": round(count / command["seconds"], 1),
            "start_s": start,
            "photos_per_second_after_start": round((count - 1) / (command["seconds"] - start), 1),
        },
        "ray_nodes": on_ray,
        "engine_alone": {"batch": BATCH, "photos_per_second": round(_engine(drawn), 1)},
        "stations_ms": _stations(drawn),
        "stations_ms_all_cores_busy": (stations := _stations_side_by_side(drawn)),
    }
    whole = sum(stations.values())
    result["bound"] = {
        "cores": cores(),
        "photos_per_second": round(1000 * cores() / whole, 1),
        "engine_share_of_cpu": round(stations["engine"] / whole, 3),
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def drawn_jpeg(seed: int) -> bytes:
    """A lesion as a JPEG of 600 × 450 px."""
    buffer = io.BytesIO()
    Image.fromarray(draw_synthetic_lesion(seed)).resize((600, 450)).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _on_ray(nodes: int, photos: Path, few: Path, folder: Path) -> dict[str, float]:
    """Photos a second on a cluster of so many nodes, once it runs and without the start of the workers."""
    with _cluster(nodes) as address:
        _command(few, folder / f"first-{nodes}.parquet", ray=address)  # the nodes' own start
        start = _command(few, folder / f"few-{nodes}.parquet", ray=address)["seconds"]
        taken = _command(photos, folder / f"ray-{nodes}.parquet", ray=address)["seconds"]
    count = len(list(photos.iterdir()))
    rates = {"photos_per_second": count / taken, "photos_per_second_after_start": (count - 1) / (taken - start)}
    return {"seconds": taken, "start_s": start, **{name: round(rate, 1) for name, rate in rates.items()}}


@contextmanager
def _cluster(nodes: int) -> Iterator[str]:
    """Address of a Ray cluster on this computer."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    from ray.cluster_utils import Cluster

    node = {"num_cpus": 1, "object_store_memory": 150_000_000}
    cluster = Cluster(initialize_head=True, head_node_args=node | {"include_dashboard": False})
    try:
        for _ in range(nodes - 1):
            cluster.add_node(**node)
        yield cluster.address
    finally:
        cluster.shutdown()


def _command(source: Path, out: Path, only: int = 0, ray: str = "") -> dict[str, float]:
    """The command, watched; ``only``: on so many cores; ``ray``: on the cluster at this address."""
    pinned = ["taskset", "-c", f"0-{only - 1}"] if only else []
    command = [*pinned, sys.executable, "-m", "skinlens", "batch", str(source), "--out", str(out)]
    return watched([*command, *(["--ray", ray] if ray else [])])


def watched(command: list[str]) -> dict[str, float]:
    """Wall time and most memory of a command and its processes (proportional set size, so that shared pages count
    once).
    """
    most = [0.0]
    started = time.perf_counter()
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:

        def watch() -> None:
            while process.poll() is None:
                most[0] = max(most[0], sum(map(_memory_mb, _family(process.pid))))
                time.sleep(0.5)

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert process.wait() == 0
        seconds = time.perf_counter() - started
        watcher.join()
    return {"seconds": round(seconds, 2), "memory_mb": round(most[0])}


def _family(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += [one for child in task.read_text().split() for one in _family(int(child))]
        except OSError:
            continue
    return found


def _memory_mb(pid: int) -> float:
    try:
        found = re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def _engine(drawn: list[bytes]) -> float:
    classifier = load_classifier(threads=cores())
    views = np.stack([model_view(read_trusted_photo(data), classifier.engine.spec) for data in drawn])
    batch = normalize(views, classifier.engine.spec)
    classifier.engine.pooled(batch)
    started, runs = time.perf_counter(), 40
    for _ in range(runs):
        classifier.engine.pooled(batch)
    return runs * len(batch) / (time.perf_counter() - started)


def _stations(drawn: list[bytes]) -> dict[str, float]:
    """Milliseconds of a core that one photo costs in each station, by the processor's time and not by the clock."""
    classifier = load_classifier(threads=1)
    spec, data = classifier.engine.spec, drawn[0]
    photo = read_trusted_photo(data)
    views = np.stack([model_view(read_trusted_photo(one), spec) for one in drawn])
    return {
        "decode_and_hash": _cpu_ms(lambda: read_trusted_photo(data)),
        "quality": _cpu_ms(lambda: quality.assess(photo)),
        "view": _cpu_ms(lambda: model_view(photo, spec)),
        "engine": round(_cpu_ms(lambda: classifier.read_views(views), 8) / len(views), 2),
    }


def _stations_side_by_side(drawn: list[bytes]) -> dict[str, float]:
    """The same while every core does it: they share caches, and the power that lets one alone run faster."""
    with ProcessPoolExecutor(cores(), get_context("spawn")) as processes:
        measured = list(processes.map(_stations, [drawn] * cores()))
    return {station: round(sum(each[station] for each in measured) / len(measured), 2) for station in measured[0]}


def _cpu_ms(work: Callable[[], object], runs: int = 50) -> float:
    work()
    started = time.process_time()
    for _ in range(runs):
        work()
    return round(1000 * (time.process_time() - started) / runs, 2)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
