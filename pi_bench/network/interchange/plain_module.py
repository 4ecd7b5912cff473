"""Copies a torch module as a plain one: out of its wrappers, in inference, its weights computed."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import nn
from torch.nn.utils import parametrize, prune
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from pi_bench.errors import ModelError

_INNER = (("DataParallel", "module"), ("DistributedDataParallel", "module"), ("OptimizedModule", "_orig_mod"))


def plain_module(module: nn.Module) -> nn.Module:
    """Returns a copy of `module` in inference, float32 and on the CPU; `module` is left as it was.

    DataParallel and torch.compile are taken off. Weights that torch computes from others before each call
    (weight norm, spectral norm, other parametrizations, pruning by masks) are computed once.

    Raises:
        ModelError: the module cannot be copied, or is a TorchScript module.

    >>> module = nn.DataParallel(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)))
    >>> plain_module(module)
    Linear(in_features=2, out_features=2, bias=True)
    """
    module = unwrapped(module)
    if isinstance(module, torch.jit.ScriptModule):
        raise ModelError("the module is a TorchScript module: give the torch module that it was made of")
    try:
        plain = copy.deepcopy(module, _computed_tensors(module)).cpu().float().eval()
    except (TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"the module cannot be copied (copy.deepcopy): {reason:.300}") from error
    for part in list(plain.modules()):
        for name, child in list(part._modules.items()):
            if child is not None:  # torch 2.8 does not trace into a part that torch.compile wraps
                part._modules[name] = unwrapped(child)
        _compute_weights(part)
    return plain


def unwrapped(module: nn.Module) -> nn.Module:
    """Returns the module inside DataParallel and torch.compile, which compute the same function.

    >>> unwrapped(nn.DataParallel(nn.ReLU()))
    ReLU()
    """
    for name, attribute in _INNER * 2:
        inner = getattr(module, attribute, None)
        if (
            type(module).__name__ == name
            and type(module).__module__.startswith("torch.")
            and inner is not None
        ):
            module = inner
    return module


def _computed_tensors(module: nn.Module) -> dict[int, Any]:
    """Copies tensors that were computed from parameters, which `copy.deepcopy` refuses to copy."""
    return {
        id(value): value.detach().clone()
        for part in module.modules()
        for value in vars(part).values()
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }


def _compute_weights(part: nn.Module) -> None:
    """Replaces weights that are computed before each call by their values."""
    with torch.no_grad():
        if parametrize.is_parametrized(part):
            # torch removes the weight from the class, which a copy shares with its original.
            kind = type(part)
            own = {
                name: value for name, value in vars(kind).items() if name not in ("__dict__", "__weakref__")
            }
            part.__class__ = type(kind.__name__, kind.__bases__, own)
            for name in list(part.parametrizations):  # type: ignore[arg-type]
                parametrize.remove_parametrizations(part, name, leave_parametrized=True)
        for key, hook in list(part._forward_pre_hooks.items()):
            if isinstance(hook, prune.BasePruningMethod | WeightNorm | SpectralNorm):
                hook.remove(part)
            else:
                continue
            part._forward_pre_hooks.pop(key, None)
