"""Distributed data-parallel training: each process takes its shard of every batch.

``torchrun --nproc-per-node 4 -m skinlens train RECIPE`` starts the processes and tells each its place. The share of a
process is every n-th photo of the batch, the gradients are averaged (DistributedDataParallel), and batch statistics are
taken over the whole batch. So the loss is that of one process, whatever the number of processes; the batch size of the
recipe is the whole batch's.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import MethodType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, distributed, nn

from skinlens.errors import RecipeError


@dataclass(frozen=True)
class World:
    """Place of this process among all of a run."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    """Among those of this machine: the number of the GPU."""

    @property
    def is_main_process(self) -> bool:
        """Whether this process validates, writes and reports."""
        return self.rank == 0

    def device(self) -> torch.device:
        return torch.device("cuda", self.local_rank) if torch.cuda.is_available() else torch.device("cpu")

    def shard(self, rows: Tensor) -> Tensor:
        """Photos of a batch that are this process's share.

        Raises:
            RecipeError: the batch cannot be cut into equal shares.
        """
        if len(rows) % self.size:
            raise RecipeError(
                f"A batch of {len(rows)} photos cannot be shared equally by {self.size} processes. Choose a batch_size "
                f"that is a multiple of {self.size}."
            )
        return rows[self.rank :: self.size]

    def mean(self, value: Tensor) -> float:
        """Mean of one number over all processes."""
        total = value.detach().clone()
        if self.size > 1:
            distributed.all_reduce(total)
        return float(total) / self.size


@contextmanager
def process_group() -> Iterator[World]:
    """The place that ``torchrun`` gave to this process; without it, a world of one."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World()
        return
    world = World(int(os.environ["RANK"]), size, int(os.environ["LOCAL_RANK"]))
    if torch.cuda.is_available():
        torch.cuda.set_device(world.local_rank)
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield world
    finally:
        distributed.destroy_process_group()


def convert_sync_batchnorm(network: nn.Module) -> None:
    """Let every batch normalisation of the network take mean and variance over the photos of all processes.

    torch's SyncBatchNorm does it on GPUs alone; this is the same on any device, so that it can be tested on every one.
    """
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = MethodType(_shared_batch_norm, module)  # type: ignore[method-assign]


class _SumOverAll(torch.autograd.Function):
    """Sum over all processes. Its gradient is the same sum: what one process holds moves the loss of every one."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:  # noqa: ARG004  (torch's signature)
        total = values.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:  # noqa: ARG004
        total = gradient.clone()
        distributed.all_reduce(total)
        return total


def _sum_over_all(values: Tensor) -> Tensor:
    total: Tensor = _SumOverAll.apply(values)  # type: ignore[no-untyped-call]
    return total


def _shared_batch_norm(self: Any, maps: Tensor) -> Tensor:
    if not self.training:
        normalized = F.batch_norm(maps, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
    else:
        count = maps.numel() / maps.shape[1] * distributed.get_world_size()
        wide = maps.to(torch.promote_types(maps.dtype, torch.float32))
        mean = _sum_over_all(wide.sum(dim=(0, 2, 3))) / count
        centered = wide - mean.view(1, -1, 1, 1)
        variance = _sum_over_all(centered.square().sum(dim=(0, 2, 3))) / count
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
        scale = (torch.rsqrt(variance + self.eps) * self.weight).view(1, -1, 1, 1)
        normalized = (centered * scale + self.bias.view(1, -1, 1, 1)).to(maps.dtype)
    # timm's BatchNormAct2d goes on with an activation
    result: Tensor = self.act(self.drop(normalized)) if hasattr(self, "act") else normalized
    return result
