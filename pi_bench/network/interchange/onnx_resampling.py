"""Calls torch for ONNX operators that change the size of a map: resizing, padding, depth and space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from pi_bench.errors import ModelError
from pi_bench.network.interchange.onnx_interpolation import ResizedAxis, matrix, nearest
from pi_bench.network.interchange.onnx_movement import chosen
from pi_bench.network.interchange.onnx_operands import (
    Attributes,
    Operator,
    activation,
    integers,
    parameter,
)

_MAX_SIZE = 1 << 14


def _resize(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, mode = activation(inputs[0]), attributes.pop("mode", "nearest")
    coordinates = attributes.pop("coordinate_transformation_mode", "half_pixel")
    rounding = attributes.pop("nearest_mode", "round_prefer_floor")
    cubic, excluded = float(attributes.pop("cubic_coeff_a", -0.75)), attributes.pop("exclude_outside", 0)
    attributes.pop("extrapolation_value", None)
    if attributes.pop("antialias", 0):
        raise ModelError("antialiasing is not supported; resize by plain interpolation")
    if coordinates not in (
        "half_pixel",
        "pytorch_half_pixel",
        "align_corners",
        "asymmetric",
        "half_pixel_symmetric",
    ):
        raise ModelError(
            f"its coordinate transformation {coordinates!r:.40} is not supported; use half_pixel"
        )
    y, found = x, _sizes(x, inputs, attributes)
    if mode == "linear" and _is_torch_like(x, found, coordinates):
        scales = {axis: scale for axis, scale, _ in found}
        factors = tuple(scales.get(axis, 1.0) for axis in range(2, x.dim()))
        kind = "bilinear" if x.dim() == 4 else "linear"
        return functional.interpolate(x, scale_factor=factors, mode=kind, align_corners=False)
    for axis, scale, size in found:
        line = ResizedAxis(x.shape[axis], size, scale, coordinates)
        if (size, scale) == (x.shape[axis], 1.0):
            continue
        if coordinates == "align_corners" and abs(scale * x.shape[axis] - size) > 1e-3:
            raise ModelError(
                f"align_corners with scale {scale:g} makes no whole number of values; give sizes"
            )
        if axis == 0 or size > _MAX_SIZE:
            raise ModelError(f"it makes {size} of axis {axis} of {tuple(x.shape)}")
        if mode == "nearest":
            y = chosen(y, axis, nearest(line, rounding))
        elif mode in ("linear", "cubic"):
            y = _weighed(y, axis, matrix(line, mode, cubic, bool(excluded)))
        else:
            raise ModelError(f"its mode {mode!r:.40} is not supported; use nearest or linear")
    return y


def _is_torch_like(x: torch.Tensor, found: list[tuple[int, float, int]], coordinates: str) -> bool:
    """Tells if torch interpolates the same way, whose interpolation costs less in private."""
    by_axis = {axis: (scale, size) for axis, scale, size in found if (scale, size) != (1.0, x.shape[axis])}
    whole = all(scale == int(scale) and size <= _MAX_SIZE for scale, size in by_axis.values())
    is_map = x.dim() in (3, 4) and by_axis.keys() <= {2, 3} and bool(by_axis)
    return is_map and whole and coordinates in ("half_pixel", "pytorch_half_pixel")


def _sizes(x: torch.Tensor, inputs: list[Any], attributes: Attributes) -> list[tuple[int, float, int]]:
    """Lists (axis, scale, new size) from the scales or sizes of the node."""
    policy = attributes.pop("keep_aspect_ratio_policy", "stretch")
    axes = [axis % x.dim() for axis in attributes.pop("axes", range(x.dim()))]
    at = int(attributes.pop("scales_at", 2))
    scales = attributes.pop("scales", None)
    if scales is None and len(inputs) > at and inputs[at] is not None and np.size(inputs[at]):
        scales = _numbers(inputs[at])
    if scales is not None:
        found = [
            (axis, float(scale), int(x.shape[axis] * scale)) for axis, scale in zip(axes, scales, strict=True)
        ]
    elif len(inputs) > 3:
        sizes = integers(inputs[3], "sizes")
        ratios = [size / x.shape[axis] for axis, size in zip(axes, sizes, strict=True)]
        if policy != "stretch":
            ratio = min(ratios) if policy == "not_larger" else max(ratios)
            ratios = [ratio] * len(axes)
            sizes = [int(np.floor(x.shape[axis] * ratio + 0.5)) for axis in axes]
        found = list(zip(axes, ratios, sizes, strict=True))
    else:
        raise ModelError("it has neither scales nor sizes")
    if any(not 0 < scale < _MAX_SIZE or size < 1 for _, scale, size in found):
        raise ModelError(f"its scales {scales} do not fit {tuple(x.shape)}")
    return found


def _numbers(value: Any) -> list[float]:
    if isinstance(value, torch.Tensor):
        if value.is_meta:
            raise ModelError("its scales must be constants of the file")
        value = value.detach().cpu().numpy()
    return [float(number) for number in np.asarray(value).reshape(-1)]


def _weighed(x: torch.Tensor, axis: int, weights: np.ndarray) -> torch.Tensor:
    """Multiplies one axis of a line or a map by `weights`, float32 (new size, size)."""
    if x.dim() not in (3, 4):
        raise ModelError(
            "interpolation is supported of (batch, channels, length) and (batch, channels, height, width)"
        )
    swapped, kernel = x.transpose(1, axis), torch.as_tensor(weights, device=x.device)[:, :, None]
    if x.dim() == 3:
        return functional.conv1d(swapped, kernel).transpose(1, axis)
    return functional.conv2d(swapped, kernel[..., None]).transpose(1, axis)


def _pad(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, pads = activation(inputs[0]), parameter(inputs, attributes, 1, "pads")
    pads = [int(pad) for pad in attributes.pop("paddings", [])] if pads is None else pads
    mode, value = attributes.pop("mode", "constant"), attributes.pop("value", None)
    if value is None and len(inputs) > 2 and inputs[2] is not None:
        value = np.asarray(inputs[2]).reshape(())
    axes = integers(inputs[3], "axes") if len(inputs) > 3 and inputs[3] is not None else list(range(x.dim()))
    if len(pads) != 2 * len(axes) or max(map(abs, pads), default=0) >= _MAX_SIZE:
        raise ModelError(f"its pads {pads!s:.60} do not fit {tuple(x.shape)}")
    by_axis = {axis % x.dim(): (pads[at], pads[at + len(axes)]) for at, axis in enumerate(axes)}
    if mode == "constant":
        return _surrounded(x, by_axis, float(value or 0.0))
    if mode == "edge" and x.dim() == 4 and not any((*by_axis.get(0, ()), *by_axis.get(1, ()))):
        (top, bottom), (left, right) = by_axis.get(2, (0, 0)), by_axis.get(3, (0, 0))
        return functional.pad(x, (left, right, top, bottom), mode="replicate")
    if mode not in ("edge", "reflect", "wrap"):
        raise ModelError(f"its mode {mode!r:.40} is not one of ONNX's")
    for axis, (before, after) in by_axis.items():
        positions = np.arange(-before, x.shape[axis] + after)
        x = chosen(x, axis, _inside(positions, x.shape[axis], mode).tolist())
    return x


def _surrounded(x: torch.Tensor, by_axis: dict[int, tuple[int, int]], value: float) -> torch.Tensor:
    reverse = [pad for axis in reversed(range(x.dim())) for pad in by_axis.get(axis, (0, 0))]
    while reverse[-2:] == [0, 0]:
        del reverse[-2:]
    if not reverse:
        return x
    if value in (0.0, -np.inf) or max(reverse) <= 0:
        return functional.pad(x, reverse, value=value)
    return functional.pad(x - value, reverse) + value


def _inside(positions: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Maps positions outside of [0, size) to those whose values ONNX takes there."""
    if mode == "edge":
        return positions.clip(0, size - 1)
    if mode == "wrap":
        return positions % size
    period = max(2 * (size - 1), 1)
    folded = positions % period
    return np.where(folded < size, folded, period - folded)


def _depth_to_space(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, block, mode = activation(inputs[0]), int(attributes.pop("blocksize")), attributes.pop("mode", "DCR")
    if mode == "CRD":
        return functional.pixel_shuffle(x, block)
    batch, channels, rows, columns = x.shape
    parts = x.reshape(batch, block, block, channels // block**2, rows, columns)
    return parts.permute(0, 3, 4, 1, 5, 2).reshape(batch, -1, rows * block, columns * block)


def _space_to_depth(inputs: list[Any], attributes: Attributes) -> torch.Tensor:
    x, block, mode = activation(inputs[0]), int(attributes.pop("blocksize")), attributes.pop("mode", "DCR")
    if mode == "CRD":
        return functional.pixel_unshuffle(x, block)
    batch, channels, rows, columns = x.shape
    parts = x.reshape(batch, channels, rows // block, block, columns // block, block)
    return parts.permute(0, 3, 5, 1, 2, 4).reshape(batch, -1, rows // block, columns // block)


OPERATORS: Mapping[str, Operator] = {
    "Resize": _resize,
    "Upsample": _resize,
    "Pad": _pad,
    "DepthToSpace": _depth_to_space,
    "SpaceToDepth": _space_to_depth,
}
