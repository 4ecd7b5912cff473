"""Calls torch for ONNX's layers and activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_operands import (
    Attributes,
    Operator,
    activation,
    as_tensor,
    parameter,
)


def _spatial(x: torch.Tensor, kernel: list[int], attributes: Attributes) -> tuple[list[int], list[int]]:
    """Returns the pads of begin and end by axis as ONNX lists them, and the strides."""
    if x.dim() != 4 or len(kernel) != 2:
        raise ModelError("only two-dimensional convolution and pooling are supported")
    strides = [int(step) for step in attributes.pop("strides", [1, 1])]
    dilations = [int(step) for step in attributes.get("dilations", [1, 1])]
    pads = [int(pad) for pad in attributes.pop("pads", [0, 0, 0, 0])]
    automatic = attributes.pop("auto_pad", "NOTSET")
    if automatic.startswith("SAME"):
        total = [
            max((-(-size // step) - 1) * step + (window - 1) * spread + 1 - size, 0)
            for size, step, window, spread in zip(x.shape[2:], strides, kernel, dilations, strict=True)
        ]
        small, large = [pad // 2 for pad in total], [pad - pad // 2 for pad in total]
        pads = [*small, *large] if automatic == "SAME_UPPER" else [*large, *small]
    elif automatic == "VALID":
        pads = [0, 0, 0, 0]
    if min(pads) < 0:
        raise ModelError("negative pads are not supported")
    return pads, strides


def _padded(x: torch.Tensor, pads: list[int], value: float = 0.0) -> tuple[torch.Tensor, list[int]]:
    """Pads x where the padding is not symmetric; returns x and the padding that is left to the operator."""
    if pads[:2] == pads[2:]:
        return x, pads[:2]
    return functional.pad(x, (pads[1], pads[3], pads[0], pads[2]), value=value), [0, 0]


def _conv(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, weight = activation(inputs[0]), as_tensor(inputs[1], inputs[0])
    kernel = list(weight.shape[2:])
    if [int(size) for size in attributes.pop("kernel_shape", kernel)] != kernel:
        raise ModelError(f"its kernel_shape is not that of its weights {tuple(weight.shape)}")
    pads, strides = _spatial(x, kernel, attributes)
    x, padding = _padded(x, pads)
    dilations = [int(step) for step in attributes.pop("dilations", [1, 1])]
    bias = as_tensor(inputs[2], x) if len(inputs) > 2 and inputs[2] is not None else None
    return functional.conv2d(x, weight, bias, strides, padding, dilations, int(attributes.pop("group", 1)))


def _max_pool(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, kernel = activation(inputs[0]), [int(size) for size in attributes.pop("kernel_shape")]
    attributes.pop("storage_order", None)
    pads, strides = _spatial(x, kernel, attributes)
    x, padding = _padded(x, pads, -torch.inf)
    dilations = [int(step) for step in attributes.pop("dilations", [1, 1])]
    ceil = bool(attributes.pop("ceil_mode", 0))
    return functional.max_pool2d(x, kernel, strides, padding, dilations, ceil)


def _average_pool(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, kernel = activation(inputs[0]), [int(size) for size in attributes.pop("kernel_shape")]
    pads, strides = _spatial(x, kernel, attributes)
    counted = bool(attributes.pop("count_include_pad", 0))
    if [int(step) for step in attributes.pop("dilations", [1, 1])] != [1, 1]:
        raise ModelError("average pooling with dilations is not supported")
    if pads[:2] != pads[2:] and not counted:
        raise ModelError("average pooling with pads that are not symmetric needs count_include_pad=1")
    x, padding = _padded(x, pads)
    ceil = bool(attributes.pop("ceil_mode", 0))
    return functional.avg_pool2d(x, kernel, strides, padding, ceil, counted)


def _batch_norm(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x = activation(inputs[0])
    attributes.pop("momentum", None)
    if attributes.pop("training_mode", 0) or attributes.pop("spatial", 1) != 1:
        raise ModelError(
            "batch normalization of training (or by pixel) is not supported: export in evaluation"
        )
    scale, bias, mean, variance = (as_tensor(value, x).reshape(-1) for value in inputs[1:5])
    epsilon = float(attributes.pop("epsilon", 1e-5))
    return functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon)


def _gemm(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, weight = activation(inputs[0]), as_tensor(inputs[1], inputs[0])
    if attributes.pop("transA", 0):
        raise ModelError("transA is not supported: the rows of its first operand are samples")
    weight = weight if attributes.pop("transB", 0) else weight.t()
    alpha, beta = float(attributes.pop("alpha", 1.0)), float(attributes.pop("beta", 1.0))
    bias = as_tensor(inputs[2], x) if len(inputs) > 2 and inputs[2] is not None else None
    if bias is not None:
        bias = (bias if beta == 1 else bias * beta).reshape(-1).expand(weight.shape[0])
    return functional.linear(x, weight if alpha == 1 else weight * alpha, bias)


def _matmul(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, weight = inputs
    if not isinstance(x, torch.Tensor) or as_tensor(weight, x).dim() != 2:
        raise ModelError("only the product of an activation (samples, features) and a matrix is supported")
    return functional.linear(x, as_tensor(weight, x).t())


def _clip(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    def bound(name: str, position: int) -> float | None:
        if name in attributes:
            value = float(attributes.pop(name))
        elif len(inputs) > position and inputs[position] is not None:
            value = float(np.asarray(inputs[position]).reshape(()))
        else:
            return None
        return None if abs(value) > 1e30 else value

    x, low, high = activation(inputs[0]), bound("min", 1), bound("max", 2)
    if (low, high) == (0.0, None):
        return functional.relu(x)
    return functional.hardtanh(x, 0.0, 6.0) if (low, high) == (0.0, 6.0) else torch.clamp(x, low, high)


def _prelu(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, slope = activation(inputs[0]), as_tensor(inputs[1], inputs[0])
    if slope.numel() != 1 and (slope.dim() < x.dim() - 1 or slope.numel() != x.shape[1]):
        raise ModelError("its slope is not one number a channel")
    return functional.prelu(x, slope.reshape(-1))


def _reduce_mean(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, axes = activation(inputs[0]), parameter(inputs, attributes, 1, "axes")
    keep = bool(attributes.pop("keepdims", 1))
    if axes is None and attributes.pop("noop_with_empty_axes", 0):
        return x
    attributes.pop("noop_with_empty_axes", None)
    return x.mean(axes if axes is not None else list(range(x.dim())), keepdim=keep)


OPERATORS: Mapping[str, Operator] = {
    "Conv": _conv,
    "MaxPool": _max_pool,
    "AveragePool": _average_pool,
    "GlobalAveragePool": lambda i, a: functional.adaptive_avg_pool2d(activation(i[0]), 1),
    "GlobalMaxPool": lambda i, a: functional.adaptive_max_pool2d(activation(i[0]), 1),
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "ReduceMean": _reduce_mean,
    "Relu": lambda i, a: functional.relu(activation(i[0])),
    "LeakyRelu": lambda i, a: functional.leaky_relu(activation(i[0]), float(a.pop("alpha", 0.01))),
    "PRelu": _prelu,
    "Clip": _clip,
}
