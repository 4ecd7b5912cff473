"""Several processes, started by `torchrun`, that train one network together.

Each worker takes its part of every batch. Gradients are averaged and batch norms see the whole batch, so the
result is that of one process, except for the order of sums. Worker 0 writes all files. Outside of `torchrun`
there is one worker, and the functions here do nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed
import torch.distributed.nn.functional
from torch import Tensor, nn

from pi_bench.errors import UsageError


@contextmanager
def joined(device: str) -> Iterator[str]:
    """Joins the group that `torchrun` describes in the environment, and yields this worker's device.

    Args:
        device: "cpu" or "cuda". Each worker of a machine takes a GPU of its own.

    Raises:
        UsageError: There are more workers than GPUs.

    >>> with joined("cpu") as device:
    ...     device, worker_count()
    ('cpu', 1)
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield device
        return
    if device.startswith("cuda"):
        local = int(os.environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            raise UsageError(
                f"torchrun starts worker {local} on a machine with {torch.cuda.device_count()} GPUs: "
                "lower --nproc-per-node"
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    torch.distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    try:
        yield device
    finally:
        torch.distributed.destroy_process_group()


def worker_count() -> int:
    """Returns the number of workers that train together; 1 outside of `torchrun`.

    >>> worker_count()
    1
    """
    return torch.distributed.get_world_size() if torch.distributed.is_initialized() else 1


def rank() -> int:
    """Returns the number of this worker, from 0; 0 outside of `torchrun`.

    >>> rank()
    0
    """
    return torch.distributed.get_rank() if torch.distributed.is_initialized() else 0


def shard(count: int) -> slice:
    """Returns this worker's part of a batch of `count` images. All parts have the same size.

    >>> shard(64)
    slice(0, 64, None)
    """
    size = count // worker_count()
    return slice(rank() * size, (rank() + 1) * size)


def mean_over_workers(value: Tensor) -> Tensor:
    """Returns the mean of `value` over all workers; `value` itself is overwritten.

    >>> mean_over_workers(torch.tensor(2.5))
    tensor(2.5000)
    """
    if worker_count() > 1:
        torch.distributed.all_reduce(value)
        value /= worker_count()
    return value


def wait_for_all() -> None:
    """Waits until every worker has called this function.

    >>> wait_for_all()
    """
    if worker_count() > 1:
        torch.distributed.barrier()


def wrap_distributed(module: nn.Module, device: torch.device) -> nn.Module:
    """Returns `module` wrapped so that a backward pass averages gradients over all workers.

    Its batch norms are replaced in place by ones that see every worker's part of a batch. With one worker,
    `module` is returned unchanged.

    >>> module = nn.Linear(1, 1)
    >>> wrap_distributed(module, torch.device("cpu")) is module
    True
    """
    if worker_count() == 1:
        return module
    joined_norm = nn.SyncBatchNorm if device.type == "cuda" else _JoinedBatchNorm
    for part in module.modules():
        if type(part) is nn.BatchNorm2d:
            part.__class__ = joined_norm  # type: ignore[assignment]
            part.process_group = None  # type: ignore[assignment]  # SyncBatchNorm: all workers
    return nn.parallel.DistributedDataParallel(module, broadcast_buffers=False)


def unwrap(module: nn.Module) -> nn.Module:
    """Returns `module` with the batch norms that it had before `wrap_distributed`.

    >>> module = nn.Sequential(nn.SyncBatchNorm(4))
    >>> unwrap(module)[0].__class__.__name__
    'BatchNorm2d'
    """
    for part in module.modules():
        if type(part) in (nn.SyncBatchNorm, _JoinedBatchNorm):
            part.__class__ = nn.BatchNorm2d
    return module


class _JoinedBatchNorm(nn.BatchNorm2d):
    """A batch norm over the parts of all workers. It runs on CPUs, where torch's own does not."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        axes = (0, 2, 3)
        total: Callable[[Tensor], Tensor] = torch.distributed.nn.functional.all_reduce
        mean = total(input.mean(axes)) / worker_count()
        centered = input - mean[:, None, None]
        variance = total(centered.square().mean(axes)) / worker_count()
        count = input.numel() // input.shape[1] * worker_count()
        with torch.no_grad():
            assert self.running_mean is not None and self.running_var is not None
            assert self.momentum is not None and self.num_batches_tracked is not None
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)
            self.num_batches_tracked += 1
        scale = self.weight * torch.rsqrt(variance + self.eps)
        result: Tensor = centered * scale[:, None, None] + self.bias[:, None, None]
        return result
