"""Scoring on Ray Data: the work of ``scorer``, spread over the nodes of a Ray cluster.

Each actor has a scorer of its own on one core. Ray restarts the actors of a node that dies, and gives their photos to
others; a row is committed by the process that asked, once, like those of one computer. Ray's statistics of its use,
which it would send to its makers, are off.
"""

import logging
import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from skinlens import __version__
from skinlens.batch.reader import Job, sentence
from skinlens.batch.result_row import Result
from skinlens.batch.scorer import Scorer, Spread, Task
from skinlens.errors import BatchError, SkinLensError, UnreadableImage, WeightsError
from skinlens.inference.classifier import load_classifier
from skinlens.inference.engine import BATCH

NODE_S = 60
"""Seconds that a node has to load the model."""
PORTION = 20_000
"""Photos that are given to Ray at a time."""
PORTION_BYTES = 256_000_000
"""Of photos that are given as bytes, as those of a ZIP: Ray's store of objects never holds more of them."""


@contextmanager
def spreading(
    address: str, weights: Path, model_sha256: str, *, features: bool, views: bool = False
) -> Iterator[Spread]:
    """Spread over a cluster, in the place of ``Scorer.results``.

    Args:
        address: Of a running cluster; ``auto``: the one that runs on this computer.
        weights: Folder of the release, by which every node finds it.
        model_sha256: Of the model that is expected there.
        features: Whether rows have the student's feature vector.
        views: Whether they have the spread over eight orientations.

    Raises:
        BatchError: there is no such cluster, a node of it cannot do the work, or all its nodes were lost.
        ModuleNotFoundError: Ray is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray
    import ray.data

    own = not ray.is_initialized()
    try:
        if own:
            ray.init(address=address, logging_level="warning", log_to_driver=False)
    except (ConnectionError, ValueError) as problem:
        raise BatchError(
            f"There is no Ray cluster at {address}: one that runs was expected. Start it with “ray start --head”, or "
            "leave --ray out."
        ) from problem
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    context.max_errored_blocks = 0
    logging.getLogger("ray.data").setLevel(logging.WARNING)

    def results(tasks: Iterable[Task]) -> Iterator[list[Result]]:
        for portion in _portions(tasks):
            yield from _of_portion(portion, (str(weights.absolute()), features, views))

    try:
        _check_nodes(weights, model_sha256)
        yield results
    except ray.exceptions.RayError as problem:
        raise BatchError(
            f"The Ray cluster gave up ({type(problem).__name__}). The rows so far are kept; the same command goes on "
            "from there."
        ) from problem
    finally:
        if own:
            ray.shutdown()


def _check_nodes(weights: Path, model_sha256: str) -> None:
    """Ask each node for the model first: Ray would begin an actor that cannot be made again and again, for ever.

    Raises:
        BatchError: SkinLens is not on a node, or it has another model or none.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    nodes = [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    probe = ray.remote(num_cpus=0, max_retries=0)(_problem_here)
    asked = [
        (
            node["NodeManagerAddress"],  # of several nodes, where they are on one computer
            probe.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
                str(weights.absolute()), model_sha256
            ),
        )
        for node in nodes
    ]
    for address, answer in asked:
        try:
            problem = ray.get(answer, timeout=NODE_S)
        except ray.exceptions.GetTimeoutError as silent:
            raise BatchError(f"The node {address} of the Ray cluster did not answer within {NODE_S} s.") from silent
        except ray.exceptions.RayError as failed:
            raise BatchError(
                f"SkinLens {__version__} cannot be loaded on the node {address} of the Ray cluster. Install it there, "
                "in the environment from which “ray start” is run, and start the node again."
            ) from failed
        if problem:
            raise BatchError(f"On the node {address} of the Ray cluster: {problem}")


def _problem_here(weights: str, model_sha256: str) -> str:
    """Sentence on why this node cannot score with that model; empty: it can."""
    try:
        sha256 = load_classifier(Path(weights), threads=1).engine.model_ref.sha256
    except WeightsError as problem:
        return str(problem)
    if sha256 == model_sha256:
        return ""
    return (
        f"the model in {weights} is another: expected SHA-256 {model_sha256[:12]}…, found {sha256[:12]}…. Copy the "
        "folder from the computer that asks."
    )


def _of_portion(portion: list[bytes], actor: tuple[str, bool, bool]) -> Iterator[list[Result]]:
    import ray
    import ray.data

    cores = max(1, int(ray.cluster_resources().get("CPU", 1)))
    blocks = -(-len(portion) // BATCH)
    rows = ray.data.from_items([{"task": task} for task in portion], override_num_blocks=blocks).map_batches(
        _Actor,
        fn_constructor_args=actor,
        batch_size=BATCH,
        num_cpus=1,
        # Up to as many as there are cores for: those of a node that died are not waited for.
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=min(cores, blocks)),
    )
    for block in rows.iter_batches(batch_size=None):
        yield [pickle.loads(result) for result in block["result"]]  # noqa: S301  of an actor of our own


class _Actor:
    """Scorer on one core of a node, made once for many blocks."""

    def __init__(self, weights: str, features: bool, views: bool) -> None:
        self._scorer = Scorer(load_classifier(Path(weights), threads=1), 1, features=features, views=views)

    def __call__(self, block: dict[str, Any]) -> dict[str, Any]:
        tasks = (pickle.loads(task) for task in block["task"])  # noqa: S301  of the computer that asks
        made = [pickle.dumps(result) for results in self._scorer.results(tasks) for result in results]
        return {"result": np.array(made, dtype=object)}


def _portions(tasks: Iterable[Task]) -> Iterator[list[bytes]]:
    portion, size = list[bytes](), 0
    for task in tasks:
        sent = _sent(task)
        portion.append(sent)
        size += len(sent)
        if len(portion) >= PORTION or size >= PORTION_BYTES:
            yield portion
            portion, size = [], 0
    if portion:
        yield portion


def _sent(task: Task) -> bytes:
    """A task as it goes to a node: what is read there, or why there is nothing to read."""
    try:
        job: Callable[[], Job] = partial(_given, task.job())
    except (SkinLensError, OSError) as problem:
        job = partial(_refused, sentence(problem))
    return pickle.dumps(task._replace(job=job))


def _given(job: Job) -> Job:
    return job


def _refused(words: str) -> Job:
    raise UnreadableImage(words)
