"""The training that chooses a kind per channel for one budget, in a folder that the rounding starts from.

Each ReLU layer becomes a weighted sum of all kinds in each channel. One Adam trains the weights of the
network and of the kinds together, by cross-entropy, distillation from the network with all its ReLUs, and a
penalty on the distance of the expected cost from a wanted one, which falls to the budget. The temperature of
the softmax falls from batch to batch, so that the weights of a channel approach one kind.

After two thirds of the epochs the kinds are rounded to the budget, and in the rest each channel's output
moves from the weighted sum to its kind. A channel that gets another kind than the heaviest one would have a
polynomial that nothing has trained: cubics and quadratics of such channels made values of 1e6 and NaN.

checkpoint.pt    the state after the last epoch, to resume from
log.csv          one line per epoch: temperature, cost, mean weight of the heaviest kind, loss
relaxed.pt       the trained network with its relaxed layers (a state_dict)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pi_bench.progress import Progress, silent

from ..data import Dataset
from ..mixture import KINDS
from ..recipe import Recipe
from ..recipe_writing import format_recipe
from ..training.batches import Batches
from ..training.device_layout import move_to_device
from ..training.divergence import DivergenceWatch
from ..training.epoch import train_epoch
from ..training.epoch_time import EpochTime
from ..training.logs import EpochLog
from ..training.polynomial_training import range_penalty
from ..training.train_recipe import Teacher, digest_of, load_teacher, make_folder, repeatable, require_data
from ..training.trainer import copied_state
from ..training.training_files import CHECKPOINT_FORMAT, check_same, load_checkpoint, save_tensors
from .relaxed import expected_cost, relaxed_activations
from .relaxed_network import RELAXED_FILE, relaxed_network
from .rounding import rounded_kinds
from .settings import RelaxationSettings

_PREFERENCE = 100.0  # beyond the logits that a training reaches


def relax_channels(
    base: Recipe,
    data: Dataset,
    settings: RelaxationSettings,
    costs: Mapping[str, Sequence[float]],
    budget: float,
    folder: Path,
    *,
    teacher: Teacher,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Trains relaxed layers of `base` for a budget in `folder`, or resumes that.

    Args:
        base: the network with all its ReLUs.
        costs: the cost of one channel of each kind of `KINDS`, by the path of the ReLU layer.
        budget: the cost that the channels of all layers may have together.
        teacher: the trained weights of `base`, from which the training starts.

    Returns:
        ``cost``, the expected cost at the end, and ``layers``, the mean weight of each kind by path.

    Raises:
        ModelError: Weights or data are those of another network, or ReLUs cannot be replaced.
        TrainingError: The training diverges, or the folder holds another one.
        OutputError: A file cannot be written.

    >>> from pi_bench.errors import PiBenchError
    >>> from pi_bench.models import load_recipe
    >>> from pi_bench.models.data import load_data
    >>> data = load_data("digits", (3, 8, 8), data_dir=Path("data"))
    >>> base = load_recipe("resnet18-cifar100-557056")
    >>> given = base, data, RelaxationSettings(), {}, 0.0, Path("relaxed")
    >>> try:
    ...     relax_channels(*given, teacher=Teacher(base, Path("state.pt")))
    ... except PiBenchError as error:
    ...     print(error)
    recipe resnet18-cifar100-557056 is for 100 classes of (3, 32, 32) images; digits has 10 of (3, 8, 8)
    """
    require_data(base, data)
    device = torch.device(device)
    identity = {
        "recipe": format_recipe(base),
        "data": data.name,
        "costs": {path: list(of_layer) for path, of_layer in costs.items()},
        "budget": budget,
        "teacher": digest_of(teacher.weights),
        **settings.as_dict(),
    }
    make_folder(folder)
    with repeatable(settings.seed):
        full = load_teacher(teacher, base, device)
        module = relaxed_network(base, {name: value.cpu() for name, value in full.state_dict().items()})
        move_to_device(module, device)
        batches = Batches(data, settings.validation_fraction, device)
        cost = _trained(module, full, batches, settings, costs, budget, folder, identity, progress)
    parts = relaxed_activations(module)
    save_tensors(folder / RELAXED_FILE, copied_state(module))
    layers = {
        path: dict(zip(KINDS, part.weights().detach().flatten(start_dim=1).mean(dim=1).tolist(), strict=True))
        for path, part in parts.items()
    }
    return {"cost": cost, "layers": layers}


def _trained(
    module: nn.Module,
    full: nn.Module,
    batches: Batches,
    settings: RelaxationSettings,
    costs: Mapping[str, Sequence[float]],
    budget: float,
    folder: Path,
    identity: Mapping[str, object],
    progress: Progress,
) -> float:
    """Trains to the end, and returns the expected cost."""
    parts, path = relaxed_activations(module), folder / "checkpoint.pt"
    schedule = _Schedule(module, settings, costs, budget)
    optimizer = _optimizer(module, settings)
    rows: list[dict[str, float]] = []
    watch = DivergenceWatch(batches.class_count, settings.advice_to_lower("learning_rate"))
    saved = load_checkpoint(path)
    if saved is not None:
        check_same(saved, identity, folder)
        module.load_state_dict(saved["module"])
        optimizer.load_state_dict(saved["optimizer"])
        rows, watch.bad_looks = saved["rows"], saved.get("bad_looks", 0)
    log = EpochLog(folder, rows)
    with range_penalty(module, settings.training) as ranges:
        while len(rows) < settings.epochs:
            begun, epoch = EpochTime(), len(rows)
            progress(f"choosing kinds of channels, epoch {epoch + 1}", epoch, settings.epochs)
            loss = train_epoch(
                module,
                batches,
                epoch,
                settings.training,
                optimizer,
                teacher=full,
                watch=watch,
                report=lambda done, count: None,
                penalty=lambda: schedule.penalty(ranges),
                before_batch=schedule.move,
            )
            schedule.move(epoch + 1)
            heaviest = torch.cat([part.weights().detach().amax(dim=0).flatten() for part in parts.values()])
            rows.append(
                {
                    "epoch": epoch + 1,
                    "temperature": schedule.temperature,
                    "cost": float(expected_cost(parts, costs).detach()),
                    "heaviest_kind": float(heaviest.mean()),
                    "train_loss": loss,
                    **begun.spent(),
                }
            )
            content = {
                "module": copied_state(module),
                "optimizer": optimizer.state_dict(),
                "rows": rows,
                "bad_looks": watch.bad_looks,
            }
            save_tensors(path, {"format": CHECKPOINT_FORMAT, "identity": dict(identity), **content})
            log.add(rows)
    log.close()
    schedule.move(settings.epochs)
    schedule.prefer_chosen()
    return rows[-1]["cost"]


def _optimizer(module: nn.Module, settings: RelaxationSettings) -> torch.optim.Optimizer:
    """Returns one Adam with a learning rate for the kinds and another one for the network."""
    kinds = [part.logits for part in relaxed_activations(module).values()]
    chosen = {id(logits) for logits in kinds}
    others = [parameter for parameter in module.parameters() if id(parameter) not in chosen]
    return torch.optim.Adam(
        [{"params": kinds, "lr": settings.choice_rate}, {"params": others, "lr": settings.learning_rate}]
    )


class _Schedule:
    """All that moves from batch to batch: temperature, wanted cost, and the part of the chosen kinds.

    Args:
        module: the relaxed network at the start of the training, whose expected cost is the first one wanted.

    Attributes:
        temperature: the present temperature.
    """

    def __init__(
        self,
        module: nn.Module,
        settings: RelaxationSettings,
        costs: Mapping[str, Sequence[float]],
        budget: float,
    ) -> None:
        self._parts, self._settings = relaxed_activations(module), settings
        self._costs, self._budget = costs, budget
        full_cost = sum(costs[path][0] * part.logits.shape[1] for path, part in self._parts.items())
        self._weight = settings.cost_weight / full_cost
        self._set_temperature(settings.temperature_at(0))
        self._first_cost = self._wanted = float(self._expected_cost().detach())

    def move(self, done: float) -> None:
        """Moves on to the point of the training after a number of epochs, and chooses the kinds in time."""
        self._set_temperature(self._settings.temperature_at(done))
        self._wanted = self._settings.wanted_cost_at(done, self._first_cost, self._budget)
        settled = self._settings.settled_at(done)
        if settled >= 0:
            self._choose()
            for part in self._parts.values():
                part.settled = min(1.0, settled)

    def penalty(self, ranges: Callable[[], Tensor] | None) -> Tensor:
        """Returns the penalty of a batch: on large inputs and, during the choice, on an unwanted cost."""
        total = torch.zeros(()) if ranges is None else ranges()
        if self._chosen:
            return total
        return total + self._weight * (self._expected_cost() - self._wanted).abs()

    def prefer_chosen(self) -> None:
        """Makes the logit of each channel's kind the largest by far, so that the rounding takes this kind."""
        for part in self._parts.values():
            assert part.chosen is not None
            only = functional.one_hot(part.chosen, len(KINDS)).T.reshape(part.logits.shape)
            part.logits.data += _PREFERENCE * only.to(part.logits)

    def _choose(self) -> None:
        """Rounds the kinds, if they are not chosen yet, and leaves the logits as they are from then on.

        Where no kinds meet the budget by costs that add up, each channel gets the heaviest one.
        """
        if self._chosen:
            return
        logits = {
            path: part.logits.detach().flatten(start_dim=1).cpu().numpy()
            for path, part in self._parts.items()
        }
        kinds = rounded_kinds(logits, self._costs, self._settings.least_fraction, self._within)
        for path, part in self._parts.items():
            found = logits[path].argmax(axis=0) if kinds is None else kinds[path]
            part.chosen = torch.from_numpy(found).to(part.logits.device)
            part.logits.requires_grad_(False)
            part.logits.grad = None

    @property
    def _chosen(self) -> bool:
        return all(part.chosen is not None for part in self._parts.values())

    def _within(self, kinds: Mapping[str, np.ndarray]) -> bool:
        total = sum(float(np.asarray(self._costs[path])[of_layer].sum()) for path, of_layer in kinds.items())
        return total <= self._budget

    def _set_temperature(self, temperature: float) -> None:
        self.temperature = temperature
        for part in self._parts.values():
            part.temperature = temperature

    def _expected_cost(self) -> Tensor:
        return expected_cost(self._parts, self._costs)
