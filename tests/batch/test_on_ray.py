"""``skinlens batch --ray``: on a cluster of two nodes the same rows as on this computer alone, also where one dies."""

import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from skinlens.batch import on_ray
from skinlens.batch.run import Batch
from skinlens.batch.sources import source_of
from skinlens.cli import main
from skinlens.errors import BatchError
from skinlens.imaging.synthetic import draw_synthetic_lesion
from skinlens.inference.classifier import load_classifier
from tests.closeness import PROBABILITY

ray = pytest.importorskip("ray", reason="the extra skinlens[ray] is not installed")
cluster_utils = pytest.importorskip("ray.cluster_utils", reason="the extra skinlens[ray] is not installed")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # Ray's own warnings
PHOTOS = 64
LIMIT_S = 120
NODE = {"num_cpus": 1, "object_store_memory": 150_000_000}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    drawn = [Image.fromarray(draw_synthetic_lesion(number)).resize((240, 180)) for number in range(4)]
    for number in range(PHOTOS):
        drawn[number % 4].save(folder / f"{number:03d}.jpg", quality=80 + number % 16)
    (folder / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    return folder


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Ray on this computer with one node, and this process on it; ``add_node`` begins another.

    It is joined while it is the only one: of several nodes on one computer Ray takes any, and ends a process whose own
    node dies.
    """
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))
    made = cluster_utils.Cluster(initialize_head=True, head_node_args=NODE | {"include_dashboard": False})
    ray.init(address=made.address, logging_level="warning", log_to_driver=False)
    yield made
    ray.shutdown()
    made.shutdown()


def rows_of(path: Path) -> dict[str, dict[str, Any]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == sorted({line["id"] for line in lines})
    return {line["id"]: line for line in lines}


def test_two_nodes_make_the_same_rows_and_one_that_dies_takes_none_along(
    release: Path, photos: Path, cluster: Any, tmp_path: Path
) -> None:
    alone, spread, survived = (tmp_path / f"{name}.jsonl" for name in ("alone", "spread", "survived"))
    command = ["batch", str(photos), "--weights", str(release), "--features"]
    assert main([*command, "--out", str(alone)]) == 1
    second = cluster.add_node(**NODE)
    classifier = load_classifier(release)
    told: list[int] = []
    kill = threading.Thread(target=cluster.remove_node, args=(second,), kwargs={"allow_graceful": False})

    def after_some(count: int) -> None:
        told.append(count)
        if len(told) == 1:
            kill.start()

    sha256 = classifier.engine.model_ref.sha256
    with on_ray.spreading(cluster.address, release, sha256, features=True) as work:
        found = Batch(source_of(str(photos)), classifier, survived, True, spread=work).run(
            after_some, lambda *_: None, lambda _: None
        )
    kill.join()
    end = time.monotonic() + LIMIT_S
    while [node["NodeID"] for node in ray.nodes() if node["Alive"]] != [cluster.head_node.node_id]:
        assert time.monotonic() < end, "Ray does not notice that the node died"
        time.sleep(0.1)
    ray.shutdown()
    cluster.add_node(**NODE)
    assert main([*command, "--out", str(spread), "--ray", cluster.address]) == 1
    assert (found.photos, found.failed) == (PHOTOS + 1, 1)
    expected = rows_of(alone)
    assert len(expected) == PHOTOS + 1
    for path in (spread, survived):
        rows = rows_of(path)
        assert set(rows) == set(expected)
        for name, row in rows.items():
            for column, value in row.items():
                if column == "features" and value is not None:
                    assert value == pytest.approx(expected[name][column], abs=0.02)
                elif isinstance(value, float):
                    assert value == pytest.approx(expected[name][column], abs=PROBABILITY, rel=1e-3)
                elif column != "read_at":
                    assert value == expected[name][column], column


def test_a_node_without_the_model_is_refused_before_the_work(release: Path, tmp_path: Path) -> None:
    found = load_classifier(release).engine.model_ref.sha256
    assert on_ray._problem_here(str(release), found) == ""
    other = on_ray._problem_here(str(release), "0" * 64)
    assert f"expected SHA-256 {'0' * 12}…, found {found[:12]}…" in other
    assert str(tmp_path) in on_ray._problem_here(str(tmp_path), found)


def test_without_a_cluster_it_is_said(release: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(**_: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(ray, "init", nobody)
    with (
        pytest.raises(BatchError, match="There is no Ray cluster at auto"),
        on_ray.spreading("auto", release, "", features=False),
    ):
        pass
