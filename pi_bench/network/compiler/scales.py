"""Scales: from a float expression and its calibrated range to integer weights and public shifts.

Every scale is a power of two. An activation whose result has the calibrated range R has the largest scale
with ``R * 2**scale_bits <= 2**activation_bits``. Its window holds the calibrated range of the values before
the activation, with the headroom. The two ranges differ where a ReLU or a clamp cuts much off. A weighted
term's natural scale is the source's plus the weights' (per output channel: the largest with
``|w| < 2**(weight_bits-1)``). Public left shifts bring all terms and channels to the scale of the linear
value, which is the finest natural one that leaves the calibrated headroom. A term without weights has a
public integer multiplier, of the weights' width where its factor is no product of a small integer and a power
of two. So an activation has one truncation and one window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pi_bench.errors import ModelError
from pi_bench.network.compiler.options import MAX_WINDOW_BITS, MIN_BITS, CompileOptions
from pi_bench.network.compiler.sums import Expression, FloatTerm
from pi_bench.network.program import Convolution, FullyConnected, LinearTerm, Weighted

_MAX_SCALE_BITS = 64
_SPARE_OUTPUT_BITS = 4
"""Bits for a revealed value to grow by, where factors do not need them: its overflow is not detected."""
_EXACT_FACTOR = 4095
"""Public factors with an odd part up to this are not rounded to the weights' width."""
_EXTRA_BITS = 4
"""The scale of a layer of zeros is at most this far above the natural one."""


@dataclass(frozen=True, slots=True, eq=False)
class QuantizedLinear:
    """Terms at one scale; `weights` are int16 by name, `bias` is uint32 (out,) or None.

    >>> QuantizedLinear(scale_bits=12, terms=(), weights={}, bias=None).scale_bits
    12
    """

    scale_bits: int
    terms: tuple[LinearTerm, ...]
    weights: dict[str, np.ndarray]
    bias: np.ndarray | None


def activation_scale_bits(maximum: float, activation_bits: int) -> int:
    """Computes the largest scale with maximum * 2**scale <= 2**activation_bits; 64 if the maximum is 0.

    >>> activation_scale_bits(3.0, activation_bits=10)  # 3 * 2**8 <= 2**10
    8
    """
    if maximum == 0:
        return _MAX_SCALE_BITS
    return min(activation_bits - _ceil_log2(maximum), _MAX_SCALE_BITS)


def bits_below(bits: int, maximum: float) -> int:
    """Computes the finest scale at which a value of magnitude `maximum` is below 2^bits; 64 if it is 0.

    >>> bits_below(30, 3.0)
    28
    """
    return _MAX_SCALE_BITS if maximum == 0 else bits - _ceil_log2(maximum)


@dataclass(frozen=True, slots=True)
class ActivationScales:
    """Holds the bits of a linear value and of the activation made of it.

    Attributes:
        linear: the scale of the linear value: how many of its bits are behind the binary point.
        activation: the scale of the activation.
        window_above: how many bits above the truncated ones the window of the linear value has.

    >>> ActivationScales(linear=22, activation=10, window_above=11).truncate_bits
    12
    """

    linear: int
    activation: int
    window_above: int

    @property
    def truncate_bits(self) -> int:
        """The bits that the activation drops."""
        return self.linear - self.activation

    @property
    def window_bits(self) -> int:
        """The top bit of the window."""
        return self.truncate_bits + self.window_above


def scales_of_activation(
    name: str,
    expression: Expression,
    maximum: float,
    result_scale_bits: int,
    options: CompileOptions,
    *,
    reserve_bits: int = 0,
) -> ActivationScales:
    """Chooses the scales of a linear value of at most `maximum`, and of an activation made of it.

    Args:
        result_scale_bits: the scale that the activation should have. Where the linear value is not that fine,
            or the window would not fit, its scale is coarser.
        reserve_bits: bits by which the linear value can still be multiplied.

    Raises:
        ModelError: the layer does not fit the ring with the headroom that is asked for.

    >>> from pi_bench.network.compiler.sums import of_value
    >>> scales_of_activation("relu", of_value(0, 10, (1, 4)), 4.0, 8, CompileOptions())
    ActivationScales(linear=10, activation=8, window_above=11)
    """
    natural = max(int(_natural_scales(term, options).max()) for term in expression.terms)
    finest = bits_below(MAX_WINDOW_BITS - options.headroom - reserve_bits, maximum)
    out = min(result_scale_bits, natural + _EXTRA_BITS, finest - 1)
    linear = min(max(natural, out + 1), finest)
    _check_scale(name, linear, expression)
    return ActivationScales(linear, out, window_above_bits(maximum, out, options))


def window_above_bits(maximum: float, scale_bits: int, options: CompileOptions) -> int:
    """Computes the window above the truncated bits: B - f, for values of at most `maximum`.

    >>> window_above_bits(50.0, 7, CompileOptions())  # 50 * 2**7 is below 2**13
    14
    """
    above = MIN_BITS if maximum == 0 else max(scale_bits + _ceil_log2(maximum), MIN_BITS)
    return above + options.headroom


def derived_scale_bits(expression: Expression, options: CompileOptions) -> int:
    """Computes the scale at which a sum without weights is exact, up to the rounding of its factors.

    >>> from pi_bench.network.compiler.sums import of_value, scale
    >>> derived_scale_bits(scale(of_value(0, 10, (1, 4)), 0.25, 0.0), CompileOptions())
    12
    """
    return max(int(_natural_scales(term, options).max()) for term in expression.terms)


def scale_of_output(name: str, expression: Expression, maximum: float, options: CompileOptions) -> int:
    """Chooses the finest scale of a revealed linear value that leaves the headroom below 2^31.

    Raises:
        ModelError: the layer does not fit the ring.

    >>> from pi_bench.network.compiler.sums import of_value
    >>> scale_of_output("head", of_value(0, 10, (1, 4)), 1.0, CompileOptions())
    10
    """
    natural = max(int(_natural_scales(term, options).max()) for term in expression.terms)
    linear = min(natural, finest_of_output(maximum, options))
    if not _are_held(expression, linear):
        linear = min(natural, bits_below(31 - options.headroom, maximum))
    _check_scale(name, linear, expression)
    return linear


def finest_of_output(maximum: float, options: CompileOptions) -> int:
    """Computes the finest scale of a revealed value of at most `maximum`, with bits to spare for its growth.

    >>> finest_of_output(8.0, CompileOptions())
    23
    """
    return bits_below(31 - options.headroom, maximum) - _SPARE_OUTPUT_BITS


def quantize(name: str, expression: Expression, scale_bits: int, options: CompileOptions) -> QuantizedLinear:
    """Quantizes an expression at `scale_bits`.

    Raises:
        ModelError: a bias or a shift does not fit; the message names the layer.

    >>> from pi_bench.network.compiler.sums import of_value, scale
    >>> quantize("triple", scale(of_value(0, 10, (1, 1)), 3.0, 0.5), 10, CompileOptions()).bias.tolist()
    [512]
    """
    weights: dict[str, np.ndarray] = {}
    terms = tuple(_quantized_term(name, term, scale_bits, options, weights) for term in expression.terms)
    bias = None
    if expression.bias is not None:
        scaled = np.rint(np.ldexp(expression.bias, scale_bits))
        if np.abs(scaled).max() >= 2.0**62:
            raise ModelError(f"layer {name!r}: a bias of {np.abs(expression.bias).max():.3g} does not fit")
        bias = scaled.astype(np.int64).astype(np.uint32)  # may wrap: the sum with the terms is in range
    return QuantizedLinear(scale_bits, terms, weights, bias)


def _quantized_term(
    name: str, term: FloatTerm, scale_bits: int, options: CompileOptions, weights: dict[str, np.ndarray]
) -> LinearTerm:
    natural = np.minimum(_natural_scales(term, options), scale_bits)
    shift = scale_bits - natural
    if shift.max() > 31:
        raise ModelError(
            f"layer {name!r}: its inputs and weights differ by more than 2^31 in size; normalize them "
            "(batch normalization) or retrain"
        )
    own_bits = natural - term.source_scale_bits  # of the weights or of the multiplier
    weighted: Weighted | None = None
    multiplier = 1
    if term.weights is not None:
        column = own_bits.reshape(-1, *(1,) * (term.weights.values.ndim - 1))
        integers = np.rint(np.ldexp(term.weights.values, column)).astype(np.int16)
        weights[term.weights.name] = np.ascontiguousarray(integers)
        weighted = _weighted_op(term)
    else:
        multiplier = round(math.ldexp(term.factor, int(own_bits[0])))
    first = term.first_channel
    return LinearTerm(term.source, term.local, weighted, multiplier, shift.astype(np.uint8), first)


def _weighted_op(term: FloatTerm) -> Weighted:
    assert term.weights is not None
    weights = term.weights
    if weights.values.ndim == 2:
        return FullyConnected(weights.name, term.local_shape, term.shape, weights.groups)
    return Convolution(
        weights.name,
        term.local_shape,
        term.shape,
        (int(weights.values.shape[2]), int(weights.values.shape[3])),
        weights.stride,
        weights.padding,
        weights.dilation,
        weights.groups,
    )


def _natural_scales(term: FloatTerm, options: CompileOptions) -> np.ndarray:
    """Computes the finest scale of each channel of the term without a shift: int64 (channels,)."""
    channels = term.shape[1]
    bits = options.weight_bits if term.weights is None else options.weight_bits_of(term.weights.name)
    limit = (1 << (bits - 1)) - 1
    if term.weights is None:
        return np.full(channels, term.source_scale_bits + _factor_bits(term.factor, limit), np.int64)
    largest = np.abs(term.weights.values).reshape(channels, -1).max(axis=1)
    bits_of_channel = np.full(channels, _MAX_SCALE_BITS, np.int64)
    alive = largest > 0
    _, exponents = np.frexp((limit + 0.49) / largest[alive])  # floor(log2) without rounding
    bits_of_channel[alive] = exponents - 1
    if not options.per_channel:
        bits_of_channel[:] = bits_of_channel.min()
    if alive.any():  # channels without weights follow the others
        bits_of_channel[~alive] = bits_of_channel[alive].max()
    else:
        bits_of_channel[:] = 0
    return term.source_scale_bits + bits_of_channel


def _factor_bits(factor: float, limit: int) -> int:
    """Chooses the scale at which a public factor is an integer.

    It is the coarsest exact one, if there is one, else the finest with an integer of at most `limit`.
    """
    mantissa, exponent = math.frexp(abs(factor))
    odd = int(math.ldexp(mantissa, 53))
    zeros = (odd & -odd).bit_length() - 1
    if odd >> zeros <= max(limit, _EXACT_FACTOR):
        return 53 - zeros - exponent
    return math.frexp((limit + 0.49) / abs(factor))[1] - 1


def _check_scale(name: str, scale_bits: int, expression: Expression) -> None:
    finest = max(term.source_scale_bits for term in expression.terms)
    if abs(scale_bits) > _MAX_SCALE_BITS or not _are_held(expression, scale_bits):
        raise ModelError(
            f"layer {name!r}: its calibrated range does not fit 32-bit fixed point next to its inputs' "
            f"(scales 2^{scale_bits} and 2^{finest}); use fewer activation bits or normalize the layer"
        )


def _are_held(expression: Expression, scale_bits: int) -> bool:
    unweighted = [term for term in expression.terms if term.weights is None]
    return all(_is_held(term, scale_bits) for term in unweighted)


def _is_held(term: FloatTerm, scale_bits: int) -> bool:
    """Tells if the term's factor has an integer multiplier at the scale, up to one part in 64."""
    at_scale = math.ldexp(term.factor, scale_bits - term.source_scale_bits)
    return abs(at_scale) < 1 << 31 and abs(round(at_scale) - at_scale) * 64 <= abs(at_scale)


def _ceil_log2(value: float) -> int:
    mantissa, exponent = math.frexp(value)
    return exponent - 1 if mantissa == 0.5 else exponent
