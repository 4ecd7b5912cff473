"""Loads weights and ReLU masks from a checkpoint into the module that they were trained in.

A checkpoint is a file that a training script writes: a state_dict, or a mapping that holds one, its names
with the prefixes of wrappers. It is read as data, so nothing in it can run.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable, Mapping
from typing import BinaryIO

import torch
from torch import nn

from pi_bench.article import with_article
from pi_bench.errors import ModelError
from pi_bench.network.files.torch_checkpoint import damaged, read_checkpoint
from pi_bench.network.files.weights_choice import find_weights

_COUNTERS = ("total_ops", "total_params", "n_averaged", "num_batches_tracked")
"""Tensors that programs leave in a module to count: operations, averaged models, batches of training."""
_NAMED_KEYS = 3


class BinaryMaskedReLU(nn.Module):
    """A ReLU that some elements have: max(0, x) where `mask` is True, x elsewhere.

    Args:
        mask: bool, without a batch axis or with one of size 1.

    >>> BinaryMaskedReLU(torch.tensor([True, False]))(torch.tensor([[-1.0, -1.0]])).tolist()
    [[0.0, -1.0]]
    """

    mask: torch.Tensor

    def __init__(self, mask: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("mask", mask)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Applies ReLU where the mask is True."""
        return torch.where(self.mask, torch.relu(x), x)


def load_weights(
    module: nn.Module,
    path: str | os.PathLike[str],
    *,
    masks: str | None = None,
    threshold: float | None = None,
    weights_key: str | None = None,
    ignore_extra: bool = False,
    target: str = "the module",
    advice: str = "build the module that the checkpoint was saved from",
) -> tuple[str, ...]:
    """Loads the state_dict at `path`, or in the checkpoint at `path`, into `module`.

    Keys and prefixes are found by comparing names and shapes with those of the module.

    Args:
        masks: a pattern of names, such as ``*.alpha``, for tensors of the checkpoint that are ReLU masks. A
            mask that the module has too is loaded like any other tensor. A mask ``PATH.alpha`` that the
            module lacks masks the `torch.nn.ReLU` at ``PATH``, which is replaced by a `BinaryMaskedReLU`.
        threshold: makes masks binary: 1 above it. Without it a mask must have only zeros and ones.
        weights_key: the place of the weights, such as ``ema`` or ``state_dict.student``, where a checkpoint
            has several that fit.
        ignore_extra: leaves out tensors that the module lacks instead of refusing them.
        target, advice: the thing that names may not fit, and the remedy, for the message.

    Returns:
        The names of the entries that were left out: counters, numbers, other objects, and with
        `ignore_extra` other tensors.

    Raises:
        ModelError: no such file, not a state_dict, keys missing, unexpected or of another shape, several
            places that fit, a mask that is not binary or has no ReLU, or a pattern that no name matches.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     torch.save({"module.weight": torch.ones(1, 2), "module.bias": torch.zeros(1)}, file.name)
    ...     module = nn.Linear(2, 1)
    ...     load_weights(module, file.name)
    ()
    >>> module.weight.tolist()
    [[1.0, 1.0]]
    """
    name = os.fspath(path)
    try:
        if not os.path.isfile(path) and os.path.exists(path):  # a pipe would never end
            raise ModelError(f"the weights {name} are no regular file: give the path of a checkpoint")
        with open(path, "rb") as file:
            state, ignored = _read_state(name, file, module.state_dict(), weights_key)
    except OSError as error:
        raise ModelError(f"cannot read the weights {name}: {error.strerror}") from None
    if masks is not None:
        _take_masks(name, module, state, masks, threshold)
    wanted = module.state_dict()
    # Counters of training; inference does not read them, and old files lack them.
    counters = {key for key in wanted if key.endswith(".num_batches_tracked")}
    unexpected = [key for key in state if key not in wanted]
    if ignore_extra:
        ignored += unexpected
        state = {key: value for key, value in state.items() if key in wanted}
        unexpected = []
    problems = [
        _listing("missing", [key for key in wanted if key not in state and key not in counters]),
        _listing("unexpected", unexpected),
        _listing(
            "of another shape",
            [
                f"{key} {tuple(state[key].shape)} for {tuple(value.shape)}"
                for key, value in wanted.items()
                if key in state and state[key].shape != value.shape
            ],
        ),
    ]
    if any(problems):
        if unexpected and not problems[0] and not problems[2]:
            advice = f"{advice}, or leave them out with --ignore-extra (ignore_extra=True)"
        raise ModelError(
            f"the weights {name} do not fit {target}: {'; '.join(filter(None, problems))}; {advice}"
        )
    module.load_state_dict({**{key: wanted[key] for key in counters}, **state})
    return tuple(ignored)


def _take_masks(
    name: str, module: nn.Module, state: dict[str, torch.Tensor], pattern: str, threshold: float | None
) -> None:
    found = [key for key in state if fnmatch.fnmatchcase(key, pattern)]
    if not found:
        listed = _few(list(state))
        raise ModelError(f"no tensor of {name} has a name like {pattern!r}; it has {listed}")
    own = module.state_dict()
    for key in found:
        values = state[key]
        if threshold is not None:
            values = (values > threshold).to(values.dtype)
        _require_binary(name, key, values)
        if key in own:
            state[key] = values
            continue
        path = key.rpartition(".")[0]
        relu = _submodule(module, path)
        if not isinstance(relu, nn.ReLU):
            kind = "no module" if relu is None else with_article(type(relu).__name__)
            raise ModelError(
                f"the mask {key!r} of {name} belongs to no ReLU: {path!r} is {kind}; the module's ReLUs are "
                f"{_few([place for place, part in module.named_modules() if isinstance(part, nn.ReLU)])}"
            )
        parent, _, attribute = path.rpartition(".")
        setattr(
            module.get_submodule(parent),
            attribute,
            BinaryMaskedReLU(torch.empty_like(values, dtype=torch.bool)),
        )
        state[f"{path}.mask"] = values != 0
        if f"{path}.mask" != key:
            del state[key]


def _require_binary(name: str, key: str, values: torch.Tensor) -> None:
    odd = int((~((values == 0) | (values == 1))).sum())
    if odd:
        low, high = float(values.min()), float(values.max())
        raise ModelError(
            f"the mask {key!r} of {name} is not binary: {odd:,} of {values.numel():,} elements are neither "
            f"0 nor 1 (between {low:.4g} and {high:.4g}); binarize and finetune it, or give a threshold"
        )


def _submodule(module: nn.Module, path: str) -> nn.Module | None:
    try:
        return module.get_submodule(path)
    except AttributeError:
        return None


def _read_state(
    name: str, file: BinaryIO, wanted: Mapping[str, torch.Tensor], key: str | None
) -> tuple[dict[str, torch.Tensor], list[str]]:
    """Returns the tensors of the checkpoint by name, and the names of entries that are no weights."""
    content = read_checkpoint(name, file)
    if isinstance(content, dict) and content.get("format") == "pi-bench model":
        raise ModelError(f"{name} is a model file, not weights: give it to `pi-bench latency` as it is")
    try:
        found = find_weights(name, content, wanted, key)
        counted = [
            each for each in found.state if each not in wanted and each.rpartition(".")[2] in _COUNTERS
        ]
        state = {each: value.read() for each, value in found.state.items() if each not in counted}
    except ModelError:
        raise
    except Exception:  # offsets and sizes are the file's, and torch raises any exception for impossible ones
        raise damaged(name) from None
    return state, [*counted, *found.others]


def _listing(kind: str, items: list[str]) -> str:
    return f"{kind}: {_few(items)}" if items else ""


def _few(items: Iterable[str]) -> str:
    listed = list(items)
    more = f" and {len(listed) - _NAMED_KEYS} more" if len(listed) > _NAMED_KEYS else ""
    return f"{', '.join(listed[:_NAMED_KEYS]) or 'none'}{more}"
