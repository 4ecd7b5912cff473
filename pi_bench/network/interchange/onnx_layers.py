"""Calls torch for ONNX's layers with weights: convolutions, matrices and batch normalization."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_operands import Attributes, Operator, activation, as_tensor
from pi_bench.network.interchange.onnx_windows import flat, padded, planar, spatial


def _weights(inputs: list[Any], attributes: Attributes) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """Returns the input and the weights of a convolution as those of two dimensions, and if they had one."""
    x, weight = activation(inputs[0]), as_tensor(inputs[1], inputs[0])
    kernel = list(weight.shape[2:])
    if [int(size) for size in attributes.pop("kernel_shape", kernel)] != kernel:
        raise ModelError(f"its kernel_shape is not that of its weights {tuple(weight.shape)}")
    x, is_line = planar(x, attributes)
    return x, weight.unsqueeze(-2) if is_line else weight, is_line


def _bias(inputs: list[Any], position: int, like: torch.Tensor) -> torch.Tensor | None:
    given = inputs[position] if len(inputs) > position else None
    return None if given is None else as_tensor(given, like).to(torch.float32)


def _conv(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, weight, is_line = _weights(inputs, attributes)
    window = spatial(x, list(weight.shape[2:]), attributes)
    x, padding = padded(x, window.pads)
    groups = int(attributes.pop("group", 1))
    bias = _bias(inputs, 2, x)
    return flat(
        functional.conv2d(x, weight, bias, window.strides, padding, window.dilations, groups), is_line
    )


def _conv_transpose(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, weight, is_line = _weights(inputs, attributes)
    automatic = attributes.pop("auto_pad", "NOTSET")
    more = [int(size) for size in attributes.pop("output_padding", [0, 0])]
    wanted = [int(size) for size in attributes.pop("output_shape", [])]
    window = spatial(x, list(weight.shape[2:]), attributes)
    strides, dilations, pads = window.strides, window.dilations, window.pads
    if automatic.startswith("SAME") and not wanted:
        wanted = [size * step for size, step in zip(x.shape[2:], strides, strict=True)]
    if wanted:
        wanted = [1, *wanted] if is_line and len(wanted) == 1 else wanted
        whole = [
            (size - 1) * step + extra + (taps - 1) * spread + 1
            for size, step, extra, taps, spread in zip(
                x.shape[2:], strides, more, weight.shape[2:], dilations, strict=True
            )
        ]
        total = [size - want for size, want in zip(whole, wanted[-2:], strict=True)]
        more = [extra + max(-pad, 0) for extra, pad in zip(more, total, strict=True)]
        total = [max(pad, 0) for pad in total]
        small, large = [pad // 2 for pad in total], [pad - pad // 2 for pad in total]
        pads = [*small, *large] if automatic == "SAME_UPPER" else [*large, *small]
    groups, bias = int(attributes.pop("group", 1)), _bias(inputs, 2, x)
    even = pads[:2] == pads[2:]
    y = functional.conv_transpose2d(
        x, weight, bias, strides, pads[:2] if even else [0, 0], more, groups, dilations
    )
    if not even:
        rows, columns = y.shape[2:]
        y = y[:, :, pads[0] : rows - pads[2], pads[1] : columns - pads[3]]
    return flat(y, is_line)


def _batch_norm(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, is_line = planar(activation(inputs[0]), {})
    attributes.pop("momentum", None)
    if attributes.pop("training_mode", 0) or attributes.pop("spatial", 1) != 1:
        raise ModelError(
            "batch normalization of training (or by pixel) is not supported: export in evaluation"
        )
    scale, bias, mean, variance = (as_tensor(value, x).reshape(-1) for value in inputs[1:5])
    epsilon = float(attributes.pop("epsilon", 1e-5))
    return flat(functional.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon), is_line)


def _gemm(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, weight = activation(inputs[0]), as_tensor(inputs[1], inputs[0])
    if attributes.pop("transA", 0) or attributes.pop("weight_at", 1) != 1:
        raise ModelError(
            "the rows of its first operand must be samples; a transposed one has them as columns"
        )
    weight = weight if attributes.pop("transB", 0) else weight.t()
    alpha, beta = float(attributes.pop("alpha", 1.0)), float(attributes.pop("beta", 1.0))
    bias = _bias(inputs, 2, x)
    if bias is not None:
        if bias.dim() > 1 and bias.shape[0] != 1:
            raise ModelError(
                f"its bias {tuple(bias.shape)} has a number per sample: ONNX broadcasts from the last axis; "
                "give one number per output"
            )
        bias = (bias if beta == 1 else bias * beta).reshape(-1).expand(weight.shape[0])
    return functional.linear(x, weight if alpha == 1 else weight * alpha, bias)


def _matmul(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    at = attributes.pop("weight_at", None)
    if at is None:
        like = next(value for value in inputs if isinstance(value, torch.Tensor))
        return torch.matmul(as_tensor(inputs[0], like), as_tensor(inputs[1], like))
    x = activation(inputs[1 - at])
    weight = as_tensor(inputs[at], x).to(torch.float32)
    while weight.dim() > 2 and weight.shape[0] == 1:
        weight = weight[0]
    if weight.dim() > 2:
        raise ModelError("the product with a stack of matrices is not supported; use one matrix")
    if weight.dim() == 1:
        product = functional.linear(x, weight[None]) if at == 1 else _from_left(weight[None], x)
        return product.squeeze(-1 if at == 1 else -2)
    return functional.linear(x, weight.t()) if at == 1 else _from_left(weight, x)


def _from_left(weight: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    if x.dim() < 3:
        raise ModelError("a matrix on the left mixes samples; put it on the right, transposed")
    return functional.linear(x.transpose(-1, -2), weight).transpose(-1, -2)


OPERATORS: Mapping[str, Operator] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MatMul": _matmul,
}
