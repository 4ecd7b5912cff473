"""The choice of a pruning criterion per layer (LFPC, He et al., CVPR 2020), in a folder of its own.

In each step, a criterion is sampled for each layer, all layers are pruned by their criteria together, and the
loss of the pruned network on a batch of validation images trains the probabilities of the criteria. In the
end, each layer gets its most probable criterion. Weights are those of the trained network and stay. Batch
norms use the statistics of the batch, since those of the whole network do not fit the pruned one.

checkpoint.pt    the state after the last row of the log, to resume from
log.csv          one line per 20 steps: temperature, mean loss, mean probability of the likeliest criterion
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import DivergedError
from pi_bench.progress import Progress, silent

from ..data import Dataset
from ..filter_criteria import CRITERIA
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training.batches import Batches
from ..training.epoch import mixed_precision
from ..training.epoch_time import EpochTime
from ..training.logs import EpochLog
from ..training.train_recipe import Teacher, digest_of, load_teacher, make_folder, repeatable, require_data
from ..training.training_files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from .sampling import channel_masks, masked_channels, sampled
from .settings import CriteriaSettings

_STEPS_PER_ROW = 20


def choose_criteria(
    base: Recipe,
    pruned: Recipe,
    data: Dataset,
    settings: CriteriaSettings,
    folder: Path,
    *,
    teacher: Teacher,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> dict[str, dict[str, Any]]:
    """Chooses the criterion of each layer of `base` in `folder`, or resumes the choice.

    Args:
        base: the network with all its filters.
        pruned: the recipe of the pruned network, which decides how many filters stay.
        teacher: the trained weights of `base`.

    Returns:
        By the path of each of `pruning.chosen_layers`: ``criterion``, and ``probabilities`` by criterion.

    Raises:
        ModelError: Weights or data are those of another network.
        TrainingError: The loss is not a number, or the folder holds another choice.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.data import load_data
    >>> from pi_bench.models.pruning import pruned_recipe
    >>> data = load_data("digits", (3, 8, 8), data_dir=Path("data"))
    >>> base = load_recipe("resnet18-cifar100-557056")
    >>> given = base, pruned_recipe(base, 300_000), data, CriteriaSettings(), Path("criteria")
    >>> try:
    ...     choose_criteria(*given, teacher=Teacher(base, Path("state.pt")))
    ... except PiBenchError as error:
    ...     print(error)
    recipe resnet18-cifar100-557056 is for 100 classes of (3, 32, 32) images; digits has 10 of (3, 8, 8)
    """
    require_data(base, data)
    device = torch.device(device)
    identity = {
        "recipe": format_recipe(base),
        "pruned": format_recipe(pruned),
        "data": data.name,
        "teacher": digest_of(teacher.weights),
        **settings.as_dict(),
    }
    make_folder(folder)
    with repeatable(settings.seed):
        module = load_teacher(teacher, base, device)
        choices = channel_masks(module.state_dict(), base, pruned)
        batches = Batches(data, settings.validation_fraction, device)
        logits = _trained(module, base, choices, batches, settings, folder, identity, progress)
    probabilities = logits.detach().cpu().double().softmax(dim=1)
    return {
        path: {
            "criterion": CRITERIA[int(row.argmax())],
            "probabilities": dict(zip(CRITERIA, row.tolist(), strict=True)),
        }
        for path, row in zip(choices, probabilities, strict=True)
    }


def _trained(
    module: nn.Module,
    base: Recipe,
    choices: dict[str, Tensor],
    batches: Batches,
    settings: CriteriaSettings,
    folder: Path,
    identity: dict[str, Any],
    progress: Progress,
) -> Tensor:
    """Returns the trained logits, (layers, criteria)."""
    device = batches.train.labels.device
    logits = torch.zeros(len(choices), len(CRITERIA), device=device, requires_grad=True)
    optimizer, path = torch.optim.Adam([logits], lr=settings.learning_rate), folder / "checkpoint.pt"
    rows: list[dict[str, float]] = []
    saved = load_checkpoint(path)
    if saved is not None:
        check_same(saved, identity, folder)
        with torch.no_grad():
            logits.copy_(saved["logits"])
        optimizer.load_state_dict(saved["optimizer"])
        rows = saved["rows"]
    log = EpochLog(folder, rows)
    module.train()  # batch norms use the statistics of the batch; weights are frozen
    with masked_channels(module, base) as masks:
        while not rows or rows[-1]["step"] < settings.step_count:
            first = int(rows[-1]["step"]) if rows else 0
            last = min(first + _STEPS_PER_ROW, settings.step_count)
            progress("sampling criteria", first, settings.step_count)
            begun, losses = EpochTime(), []
            for step in range(first, last):
                loss = _loss(module, masks, choices, logits, batches, settings, step)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                losses.append(float(loss.detach()))
            row = {
                "step": last,
                "temperature": settings.temperature_at(last - 1),
                "loss": sum(losses) / len(losses),
                "largest_probability": float(logits.detach().softmax(dim=1).amax(dim=1).mean()),
            }
            if not math.isfinite(row["loss"]):
                raise DivergedError(f"the choice of criteria diverged by step {last}: its loss is no number")
            rows.append(row | begun.spent())
            content = {"logits": logits.detach().cpu(), "optimizer": optimizer.state_dict(), "rows": rows}
            save_tensors(path, {"format": CHECKPOINT_FORMAT, "identity": identity, **content})
            log.add(rows)
    log.close()
    return logits


def _loss(
    module: nn.Module,
    masks: dict[str, Tensor],
    choices: dict[str, Tensor],
    logits: Tensor,
    batches: Batches,
    settings: CriteriaSettings,
    step: int,
) -> Tensor:
    """Returns the loss of a network pruned by sampled criteria, which depends on seed and step alone."""
    split = batches.validation if len(batches.validation) else batches.train
    mixed = np.random.SeedSequence([settings.seed, step]).generate_state(1, np.uint64)[0] >> 1
    generator = torch.Generator().manual_seed(int(mixed))
    index = torch.randperm(len(split), generator=generator)[: settings.batch_size].to(split.labels.device)
    rows = sampled(logits, settings.temperature_at(step), generator)
    for (path, of_criteria), row in zip(choices.items(), rows, strict=True):
        masks[path] = row @ of_criteria
    with mixed_precision(settings.precision, split.labels.device):
        output = module(batches.normalized(split.images[index]))
    return functional.cross_entropy(output.float(), split.labels[index])
