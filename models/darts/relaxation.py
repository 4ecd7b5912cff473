"""The training of a relaxed network by first-order DARTS (Liu et al., ICLR 2019), in a folder of its own.

The training images but for the validation images are halved. In each step, Adam trains the weights of
operators and sources on a batch of one half, and SGD trains the network on a batch of the other half. The
halves have orders and variations of their own.

checkpoint.pt    the state after the last epoch, to resume from
log.csv          one line per epoch: learning rate, losses on both halves, mean weight of the heaviest
                 operator, and the expected cost as a fraction of that of equal weights
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.progress import Progress, silent

from ..data import Dataset
from ..families.sphynx import SphynxRecipe
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training.batches import Batches, without_validation
from ..training.device_layout import move_to_device
from ..training.divergence import DivergenceWatch
from ..training.epoch import mixed_precision
from ..training.epoch_time import EpochTime
from ..training.logs import EpochLog
from ..training.seeds import seed_of
from ..training.train_recipe import make_folder, repeatable, require_data
from ..training.trainer import copied_state
from ..training.training_files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from .choice import CellChoice, Costs, expected_cost
from .relaxed_network import RelaxedSphynx
from .settings import DartsSettings


def relax_cells(
    recipe: Recipe,
    data: Dataset,
    settings: DartsSettings,
    costs: Costs,
    folder: Path,
    *,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Trains a relaxed network in `folder`, or resumes that.

    Args:
        recipe: a Sphynx network. Its cells do not matter.
        costs: the costs of operators by kind of cell, for the penalty; {} for none.

    Returns:
        ``cells``, the chosen cell of each kind that the network has.

    Raises:
        ModelError: The recipe is no Sphynx network, or the data are for other networks.
        TrainingError: The training diverges, or the folder holds another one.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.data import load_data
    >>> data = load_data("digits", (3, 8, 8), data_dir=Path("data"))
    >>> try:
    ...     relax_cells(load_recipe("sphynx-cifar100-25600"), data, DartsSettings(), {}, Path("relaxed"))
    ... except PiBenchError as error:
    ...     print(error)
    recipe sphynx-cifar100-25600 is for 100 classes of (3, 32, 32) images; digits has 10 of (3, 8, 8)
    """
    if not isinstance(recipe, SphynxRecipe):
        raise ModelError(
            f"{recipe.name} has no cells that can be relaxed: use a network of the family sphynx"
        )
    require_data(recipe, data)
    device = torch.device(device)
    identity = {
        "recipe": format_recipe(recipe),
        "data": data.name,
        "costs": {kind: [list(row) for row in rows] for kind, rows in costs.items()},
        **settings.as_dict(),
    }
    make_folder(folder)
    with repeatable(settings.seed):
        network = RelaxedSphynx(recipe)
        move_to_device(network, device)
        seen = without_validation(data, settings.validation_fraction)
        batches = Batches(seen, settings.held_fraction, device)
        _Relaxation(network, batches, settings, costs).train(folder, identity, progress)
    return {"cells": {kind: list(cell) for kind, cell in network.cells().items()}}


class _Relaxation:
    """The training of one network, with its two optimizers."""

    def __init__(
        self, network: RelaxedSphynx, batches: Batches, settings: DartsSettings, costs: Costs
    ) -> None:
        self._network, self._batches, self._settings = network, batches, settings
        self._choices = {kind: cast(CellChoice, part) for kind, part in network.choices.items()}
        self._costs = costs
        self._equal_cost = float(expected_cost(self._choices, costs).detach()) if costs else 0.0
        chosen = list(network.choices.parameters())
        known = {id(parameter) for parameter in chosen}
        self._others = [one for one in network.parameters() if id(one) not in known]
        self._choosing = torch.optim.Adam(
            chosen,
            lr=settings.choice_rate,
            betas=settings.choice_betas,
            weight_decay=settings.choice_decay,
        )
        self._training = torch.optim.SGD(
            self._others,
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self._watch = DivergenceWatch(batches.class_count, settings.advice_to_lower("learning_rate"))

    def train(self, folder: Path, identity: Mapping[str, object], progress: Progress) -> None:
        """Trains to the end, from the last checkpoint if there is one."""
        settings, path = self._settings, folder / "checkpoint.pt"
        rows: list[dict[str, float]] = []
        saved = load_checkpoint(path)
        if saved is not None:
            check_same(saved, identity, folder)
            self._network.load_state_dict(saved["network"])
            self._choosing.load_state_dict(saved["choosing"])
            self._training.load_state_dict(saved["training"])
            rows, self._watch.bad_looks = saved["rows"], saved["bad_looks"]
        log = EpochLog(folder, rows)
        while len(rows) < settings.epochs:
            progress(f"weighing operators, epoch {len(rows) + 1}", len(rows), settings.epochs)
            rows.append(self._epoch(len(rows)))
            content = {
                "network": copied_state(self._network),
                "choosing": self._choosing.state_dict(),
                "training": self._training.state_dict(),
                "rows": rows,
                "bad_looks": self._watch.bad_looks,
            }
            save_tensors(path, {"format": CHECKPOINT_FORMAT, "identity": dict(identity), **content})
            log.add(rows)
        log.close()

    def _epoch(self, epoch: int) -> dict[str, float]:
        """Trains for one epoch, and returns its row of the log."""
        begun, settings = EpochTime(), self._settings
        self._network.train()
        for group in self._training.param_groups:
            group["lr"] = settings.learning_rate_at(epoch)
        losses: list[tuple[Tensor, Tensor]] = []
        for mine, held in self._pairs(epoch):
            held_loss = self._step(self._choosing, held, self._penalty)
            losses.append((self._step(self._training, mine, None), held_loss))
        train_loss, choice_loss = (float(torch.stack(one).mean()) for one in zip(*losses, strict=True))
        self._watch.look(train_loss, f"epoch {epoch + 1}")
        heaviest = torch.cat(
            [one.operators.detach().softmax(dim=1).amax(dim=1) for one in self._choices.values()]
        )
        return {
            "epoch": epoch + 1,
            "learning_rate": settings.learning_rate_at(epoch),
            "train_loss": train_loss,
            "choice_loss": choice_loss,
            "heaviest_operator": float(heaviest.mean()),
            "cost": float(self._cost().detach()),
            **begun.spent(),
        }

    def _pairs(self, epoch: int) -> Iterator[tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]]:
        """Yields a batch of the half that trains the network, with one of the half that chooses."""
        batches, settings = self._batches, self._settings
        held_seed = seed_of(settings.seed, "held half")  # with one seed, equal halves would have one order
        mine = batches.epoch(settings.seed, epoch, settings.batch_size)
        held = batches.varied(batches.validation, held_seed, epoch, settings.batch_size)
        return zip(mine, held, strict=False)

    def _step(
        self,
        optimizer: torch.optim.Optimizer,
        batch: tuple[Tensor, Tensor],
        penalty: Callable[[], Tensor] | None,
    ) -> Tensor:
        """Takes one step of an optimizer, and returns the cross-entropy before it."""
        images, labels = batch
        with mixed_precision(self._settings.precision, images.device):
            logits = self._network(images)
        loss = functional.cross_entropy(logits.float(), labels)
        self._network.zero_grad(set_to_none=True)
        (loss if penalty is None else loss + penalty()).backward()  # type: ignore[no-untyped-call]
        if optimizer is self._training:
            nn.utils.clip_grad_norm_(self._others, self._settings.gradient_norm_limit)
        optimizer.step()
        return loss.detach()

    def _penalty(self) -> Tensor:
        return self._settings.time_weight * self._cost()

    def _cost(self) -> Tensor:
        """Returns the expected cost as a fraction of that of equal weights; 0 without costs."""
        if not self._equal_cost:
            return torch.zeros(())
        return expected_cost(self._choices, self._costs) / self._equal_cost
