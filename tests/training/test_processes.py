"""Runs as processes of their own: two that share each batch, and one that is killed in the middle."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from skinlens.errors import RecipeError
from skinlens.networks.configs import StudentConfig
from skinlens.training.distributed import World, convert_sync_batchnorm
from skinlens.training.tasks import TrainingTask, make_task
from tests.closeness import NETWORK
from tests.tiny_release import RECIPE

pytestmark = pytest.mark.slow

STEADY = replace(
    RECIPE,
    epochs=3,
    batch_size=4,
    learning_rate=1e-7,
    student=StudentConfig(fused_channels=16, hidden=8, dropout=0.0, drop_path=0.0),
)
"""Nothing random within the network, since processes draw their own dropout; and small steps, since AdamW takes a full
step by the sign of a gradient that is nothing but rounding. Gradients have a test of their own."""

SCRIPT = """
from pathlib import Path
from skinlens.training.distributed import process_group
from skinlens.training.protocols import lesion_disjoint_split
from skinlens.training.loop import train
from tests.training.test_processes import STEADY, save_gradients
from tests.tiny_release import draw_dataset

folder, run, gradients = Path({folder!r}), Path({run!r}), {gradients!r}
material = lesion_disjoint_split(draw_dataset(folder / "train", 1, 3), draw_dataset(folder / "val", 2, 1), STEADY)
with process_group() as world:
    if gradients:
        save_gradients(world, Path(gradients))
    train(STEADY, material, run, world)
"""


def save_gradients(world: World, path: Path) -> None:
    """Of one batch that the processes share; with the loss, and what the network then is."""
    from torch.nn.parallel import DistributedDataParallel

    task, (pictures, labels) = a_learner(), a_batch()
    convert_sync_batchnorm(task.network)
    rows = world.shard(torch.arange(len(labels)))
    shared = DistributedDataParallel(task)  # must outlive the backward pass: it is what averages the gradients
    loss = shared(pictures[rows], labels[rows], None)["loss"]
    loss.backward()
    mean = world.mean(loss)
    if world.is_main_process:
        torch.save([mean, [one.grad for one in task.parameters()], task.state_dict()], path)


def a_learner() -> TrainingTask:
    torch.manual_seed(4)
    return make_task(STEADY).train().double()


def a_batch() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(5)
    return torch.rand(8, 3, 64, 64, generator=generator).double(), torch.arange(8) % 7


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of one process from beginning to end."""
    folder = tmp_path_factory.mktemp("whole")
    finish(start(script(folder, folder / "run")))
    return losses(folder / "run")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what two processes left that shared each batch: ``gradients.pt`` and ``run``."""
    folder = tmp_path_factory.mktemp("shared")
    two(*(script(folder / part, folder / "run", str(folder / "gradients.pt")) for part in ("a", "b")))
    return folder


def script(folder: Path, run: Path, gradients: str = "") -> str:
    """Draw the data set in ``folder`` and train; first save the gradients of a batch, if a file is given for them."""
    return SCRIPT.format(folder=str(folder), run=str(run), gradients=gradients)


def losses(run: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()]


def start(source: str, **place: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **place}
    return subprocess.Popen([sys.executable, "-c", source], env=environment, stderr=subprocess.PIPE)


def finish(*processes: subprocess.Popen[bytes]) -> None:
    errors = [process.communicate()[1].decode() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), errors


def two(first: str, second: str) -> None:
    """Two processes that know of each other, as ``torchrun`` starts them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    finish(
        *(start(source, RANK=str(rank), LOCAL_RANK=str(rank), **place) for rank, source in enumerate((first, second)))
    )


def test_two_processes_give_the_loss_of_one(whole: list[float], shared: Path) -> None:
    """Same batches and batch statistics: over gloo on the CPU, as over nccl on GPUs."""
    assert losses(shared / "run") == pytest.approx(whole, rel=NETWORK)


def test_two_processes_give_the_gradients_of_one(shared: Path) -> None:
    """And the same running statistics of every batch normalisation.

    In double precision: so many normalisations of so few pictures magnify the rounding of single precision beyond use.
    """
    mean, gradients, state = torch.load(shared / "gradients.pt", weights_only=True)
    task, (pictures, labels) = a_learner(), a_batch()
    loss = task(pictures, labels, None)["loss"]
    loss.backward()
    assert mean == pytest.approx(loss.item(), abs=1e-6)
    for one, theirs in zip(task.parameters(), gradients, strict=True):
        assert one.grad is not None
        assert (one.grad - theirs).norm() <= 0.01 * one.grad.norm() + 1e-9
    for name, value in task.state_dict().items():
        if name.endswith(("running_mean", "running_var")):
            torch.testing.assert_close(state[name], value)  # in double precision


def test_a_run_that_was_killed_goes_on_as_if_it_had_not_been(whole: list[float], tmp_path: Path) -> None:
    """SIGKILL after the first epoch, wherever the second one is by then; the same command goes on."""
    source = script(tmp_path, tmp_path / "run")
    process = start(source)
    while not (tmp_path / "run" / "log.jsonl").exists():
        assert process.poll() is None, process.communicate()[1].decode()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(losses(tmp_path / "run")) < 3
    finish(start(source))
    assert losses(tmp_path / "run") == pytest.approx(whole, rel=1e-6)  # one process each: the same sums


def test_shares_are_equal_and_lose_nothing() -> None:
    rows = torch.arange(6)
    shares = [World(rank, 3).shard(rows).tolist() for rank in range(3)]
    assert shares == [[0, 3], [1, 4], [2, 5]]
    with pytest.raises(RecipeError, match="multiple of 4"):
        World(0, 4).shard(rows)
