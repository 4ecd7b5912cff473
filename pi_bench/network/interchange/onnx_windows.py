"""Windows of ONNX's convolutions and pools: pads, strides and dilations in all their spellings."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_operands import Attributes

_MAX = 1 << 12


@dataclass(frozen=True, slots=True)
class OnnxWindow:
    """The numbers of a window by axis; `pads` has those before both axes, then those after.

    >>> OnnxWindow(kernel=[3, 3], strides=[2, 2], dilations=[1, 1], pads=[0, 0, 1, 1]).extents
    [3, 3]
    """

    kernel: list[int]
    strides: list[int]
    dilations: list[int]
    pads: list[int]

    @property
    def extents(self) -> list[int]:
        """The rows and columns from the first that a window reads to the last."""
        return [(taps - 1) * step + 1 for taps, step in zip(self.kernel, self.dilations, strict=True)]


def planar(x: torch.Tensor, attributes: Attributes) -> tuple[torch.Tensor, bool]:
    """Gives a value of one dimension (batch, channels, length) the height 1.

    The numbers of its window in `attributes` get a second dimension too. Also returns if it had one.

    >>> x, is_line = planar(torch.zeros(1, 2, 5), {})
    >>> tuple(x.shape), is_line
    ((1, 2, 1, 5), True)
    """
    if x.dim() != 3:
        return x, False
    for name, rest in (("strides", 1), ("dilations", 1), ("kernel_shape", 1), ("output_padding", 0)):
        if name in attributes:
            attributes[name] = [rest, *attributes[name]]
    if "pads" in attributes:
        before, after = attributes["pads"]
        attributes["pads"] = [0, before, 0, after]
    return x.unsqueeze(-2), True


def flat(y: torch.Tensor, is_line: bool) -> torch.Tensor:
    """Takes away the dimension that `planar` has added.

    >>> tuple(flat(torch.zeros(1, 2, 1, 5), True).shape)
    (1, 2, 5)
    """
    return y.squeeze(-2) if is_line else y


def spatial(x: torch.Tensor, kernel: list[int], attributes: Attributes) -> OnnxWindow:
    """Reads the window of a convolution or pool of `x` (batch, channels, height, width).

    Raises:
        ModelError: another number of dimensions, or numbers that no window has.

    >>> spatial(torch.zeros(1, 1, 5, 5), [2, 2], {"auto_pad": "SAME_UPPER"}).pads
    [0, 0, 1, 1]
    """
    if x.dim() != 4 or len(kernel) != 2:
        raise ModelError("only convolution and pooling of one and two dimensions are supported")
    strides = _pair(attributes.pop("strides", [1, 1]))
    dilations = _pair(attributes.pop("dilations", [1, 1]))
    pads = [int(pad) for pad in attributes.pop("pads", [0, 0, 0, 0])]
    automatic = attributes.pop("auto_pad", "NOTSET")
    window = OnnxWindow(kernel, strides, dilations, [0, 0, 0, 0])
    if min(*kernel, *strides, *dilations) < 1:
        raise ModelError(f"its window {kernel} has the strides {strides} and the dilations {dilations}")
    if automatic.startswith("SAME"):
        total = [
            max((-(-size // step) - 1) * step + extent - size, 0)
            for size, step, extent in zip(x.shape[2:], strides, window.extents, strict=True)
        ]
        small, large = [pad // 2 for pad in total], [pad - pad // 2 for pad in total]
        pads = [*small, *large] if automatic == "SAME_UPPER" else [*large, *small]
    elif automatic == "VALID":
        pads = [0, 0, 0, 0]
    elif automatic != "NOTSET":
        raise ModelError(f"its auto_pad {automatic!r:.40} is not one of ONNX's")
    if len(pads) != 4 or min(pads) < 0 or max(*pads, *window.extents) >= _MAX:
        raise ModelError(f"its pads {pads!s:.60} or its window {window.extents} are not supported")
    return OnnxWindow(kernel, strides, dilations, pads)


def padded(
    x: torch.Tensor, pads: list[int], value: float = 0.0, most: list[int] | None = None
) -> tuple[torch.Tensor, list[int]]:
    """Pads x where the operator cannot; returns x and the padding that is left to the operator.

    An operator of torch has one padding for both sides of an axis, of at most `most`.

    >>> x, padding = padded(torch.zeros(1, 1, 2, 2), [0, 0, 1, 1])
    >>> tuple(x.shape), padding
    ((1, 1, 3, 3), [0, 0])
    """
    before = pads[:2]
    if before == pads[2:] and (
        most is None or all(pad <= limit for pad, limit in zip(before, most, strict=True))
    ):
        return x, before
    return functional.pad(x, (pads[1], pads[3], pads[0], pads[2]), value=value), [0, 0]


def _pair(values: list[int]) -> list[int]:
    if len(values) != 2:
        raise ModelError(f"its window has {len(values)} numbers where two dimensions have two")
    return [int(value) for value in values]
