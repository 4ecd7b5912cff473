"""Lowers transposed convolution: a convolution whose channels are the pixels of small squares.

With stride s, the outputs at positions ``s i + a`` read the inputs with the taps ``a, a + s, a + 2 s …`` of
the kernel alone. So each phase a is a convolution with stride 1. The phases are computed together as
channels, and put next to each other as in a pixel shuffle. No zeros are multiplied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pi_bench.network.graph import ConvNode
from pi_bench.network.lowering.arrangement import cut, in_order, reshaped
from pi_bench.network.lowering.lines import as_line, is_line, map_of, map_shape, sizes
from pi_bench.network.lowering.state import FxNode, Lowering, Translator, refuse, result_shape


def _transposed(lowering: Lowering, call: FxNode, given: dict[str, Any]) -> None:
    source, shape = map_of(lowering, call, given["input"]), map_shape(call)
    weight = lowering.constant(given["weight"])
    if weight is None:
        raise refuse(call, "its weights must be parameters or buffers of the module")
    weight = weight[:, :, None, :] if weight.ndim == 3 else weight
    bias = None if given.get("bias") is None else lowering.constant(given["bias"])
    stride, padding = sizes(call, given["stride"], 1), sizes(call, given["padding"], 0)
    dilation, more = sizes(call, given["dilation"], 1), sizes(call, given["output_padding"], 0)
    kernel = phases(weight, int(given["groups"]), stride, dilation, more)
    name = lowering.name(call, "conv_transpose")
    constant = None if bias is None else lowering.cite(f"{name}.bias", np.repeat(bias, stride[0] * stride[1]))
    _, height, width = source.shape
    zeros = (kernel.shape[2] - 1, kernel.shape[3] - 1)
    rows, columns = height + zeros[0], width + zeros[1]
    phased = ConvNode(
        name,
        (source.name,),
        (len(kernel), rows, columns),
        lowering.cite(f"{name}.weight", kernel),
        constant,
        stride=(1, 1),
        padding=zeros,
        groups=int(given["groups"]),
    )
    made = reshaped(lowering, call, lowering.append(phased), (shape[0], *stride, rows, columns))
    made = in_order(lowering, call, made, (0, 3, 1, 4, 2))
    made = reshaped(lowering, call, made, (shape[0], rows * stride[0], columns * stride[1]))
    made = cut(lowering, call, made, 1, padding[0], shape[1])
    made = cut(lowering, call, made, 2, padding[1], shape[2])
    lowering.values[call] = as_line(lowering, made) if is_line(result_shape(call)) else made


def phases(
    weight: np.ndarray, groups: int, stride: tuple[int, int], dilation: tuple[int, int], more: tuple[int, int]
) -> np.ndarray:
    """Returns the weights (out * rows * columns, in / groups, kh, kw) of the convolution of all phases.

    Args:
        weight: (in, out / groups, kh, kw) of the transposed convolution.
        more: its output padding.

    >>> phases(np.float64([[[[1, 2, 3]]]]), groups=1, stride=(1, 2), dilation=(1, 1), more=(0, 0)).tolist()
    [[[[3.0, 1.0]]], [[[0.0, 2.0]]]]
    """
    inputs, outputs, *taps = weight.shape
    extents = [(count - 1) * step + 1 for count, step in zip(taps, dilation, strict=True)]
    counts = [-(-(size + extra) // step) for size, extra, step in zip(extents, more, stride, strict=True)]
    spread = np.zeros((inputs, outputs, counts[0] * stride[0], counts[1] * stride[1]))
    spread[:, :, : extents[0] : dilation[0], : extents[1] : dilation[1]] = weight
    parts = spread.reshape(groups, inputs // groups, outputs, counts[0], stride[0], counts[1], stride[1])
    parts = parts.transpose(0, 2, 4, 6, 1, 3, 5)[..., ::-1, ::-1]
    return parts.reshape(groups * outputs * stride[0] * stride[1], inputs // groups, *counts)


TRANSLATORS: Mapping[str, Translator] = {
    "conv_transpose1d": _transposed,
    "conv_transpose2d": _transposed,
}
