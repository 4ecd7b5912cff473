"""Loads weights and ReLU masks from a checkpoint into the module that they were trained in.

A checkpoint is a file that a training script writes: a state_dict, or a mapping that holds one, its names
with the prefixes of wrappers. It is read without unpickling objects, so nothing in it can run.
"""

from __future__ import annotations

import fnmatch
import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from pi_bench.errors import ModelError
from pi_bench.network.files.torch_file import STATE_KEYS, load_plain

_PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile
_NAMED_KEYS = 3


class MaskedReLU(nn.Module):
    """A ReLU that some elements have: max(0, x) where `mask` is True, x elsewhere.

    `mask` is bool, without a batch axis or with one of size 1.

    >>> MaskedReLU(torch.tensor([True, False]))(torch.tensor([[-1.0, -1.0]])).tolist()
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
    target: str = "the module",
    advice: str = "build the module that the checkpoint was saved from",
) -> None:
    """Loads the state_dict at `path`, or in the checkpoint at `path`, into `module`.

    Args:
        masks: a pattern of names, such as ``*.alpha``, for tensors of the checkpoint that are ReLU masks. A
            mask that the module has too is loaded like any other tensor. A mask ``PATH.alpha`` that the
            module lacks masks the `torch.nn.ReLU` at ``PATH``, which is replaced by a `MaskedReLU`.
        threshold: makes masks binary: 1 above it. Without it a mask must have only zeros and ones.
        target, advice: the thing that names may not fit, and the remedy, for the message.

    Raises:
        ModelError: no such file, not a state_dict, keys missing, unexpected or of another shape, a mask
            that is not binary or has no ReLU, or a pattern that no name matches.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     torch.save({"module.weight": torch.ones(1, 2), "module.bias": torch.zeros(1)}, file.name)
    ...     module = nn.Linear(2, 1)
    ...     load_weights(module, file.name)
    >>> module.weight.tolist()
    [[1.0, 1.0]]
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            content = load_plain(name, file)
    except OSError as error:
        raise ModelError(f"cannot read the weights {name}: {error.strerror}") from None
    state = _state_of(name, content)
    if masks is not None:
        _take_masks(name, module, state, masks, threshold)
    wanted = module.state_dict()
    # Counters of training; inference does not read them, and old files lack them.
    counters = {key for key in wanted if key.endswith(".num_batches_tracked")}
    problems = [
        _listing("missing", [key for key in wanted if key not in state and key not in counters]),
        _listing("unexpected", [key for key in state if key not in wanted]),
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
        raise ModelError(
            f"the weights {name} do not fit {target}: {'; '.join(filter(None, problems))}; {advice}"
        )
    module.load_state_dict({**{key: wanted[key] for key in counters}, **state})


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
            kind = "no module" if relu is None else f"a {type(relu).__name__}"
            raise ModelError(
                f"the mask {key!r} of {name} belongs to no ReLU: {path!r} is {kind}; the module's ReLUs are "
                f"{_few([place for place, part in module.named_modules() if isinstance(part, nn.ReLU)])}"
            )
        parent, _, attribute = path.rpartition(".")
        setattr(
            module.get_submodule(parent), attribute, MaskedReLU(torch.empty_like(values, dtype=torch.bool))
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


def _state_of(name: str, content: Any) -> dict[str, torch.Tensor]:
    if isinstance(content, dict) and content.get("format") == "pi-bench model":
        raise ModelError(f"{name} is a model file, not weights: give it to `pi-bench latency` as it is")
    if isinstance(content, dict):
        nested = next((content[key] for key in STATE_KEYS if isinstance(content.get(key), dict)), None)
        content = content if nested is None else nested
    if not isinstance(content, dict) or not content:
        raise ModelError(f"{name} holds no state_dict: save module.state_dict() with torch.save")
    state: dict[str, torch.Tensor] = {}
    for key, value in content.items():
        if not isinstance(key, str) or type(value) not in (torch.Tensor, nn.Parameter):
            raise ModelError(f"{name} holds no state_dict: {key!r:.80} is not a tensor")
        while key.startswith(_PREFIXES):
            key = key.partition(".")[2]
        state[key] = value.detach()
    return state


def _listing(kind: str, items: list[str]) -> str:
    return f"{kind}: {_few(items)}" if items else ""


def _few(items: Iterable[str]) -> str:
    listed = list(items)
    more = f" and {len(listed) - _NAMED_KEYS} more" if len(listed) > _NAMED_KEYS else ""
    return f"{', '.join(listed[:_NAMED_KEYS]) or 'none'}{more}"
