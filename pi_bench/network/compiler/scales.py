"""Scales: from a float expression and its calibrated range to integer weights and public shifts.

Every scale is a power of two. An activation of calibrated range R has the largest scale with
``R * 2**scale_bits <= 2**activation_bits``. A weighted term's natural scale is the source's plus the
weights' (per output channel: the largest with ``|w| < 2**(weight_bits-1)``). Public left shifts
bring all terms and channels to the scale of the linear value, which is the finest natural one that
leaves the calibrated headroom. A term without weights has a public integer multiplier, of the weights'
width where its factor is no product of a small integer and a power of two. So an activation has one
truncation and one window, and the window above the truncated bits is ``activation_bits + headroom_bits`` wide
in every layer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pi_bench.errors import ModelError, UsageError
from pi_bench.network.compiler.sums import Expression, FloatTerm
from pi_bench.network.program import Convolution, FullyConnected, LinearTerm, Weighted

MAX_WINDOW_BITS = 29
_MAX_SCALE_BITS = 64
_SPARE_OUTPUT_BITS = 4
"""Bits for a revealed value to grow by, where factors do not need them: its overflow is not detected."""
_EXACT_FACTOR = 4095
"""Public factors with an odd part up to this are not rounded to the weights' width."""
_EXTRA_BITS = 4
"""The scale of a layer of zeros is at most this far above the natural one."""


@dataclass(frozen=True, slots=True)
class CompileOptions:
    """The choices of a compilation.

    weight_bits: width of the signed weights. activation_bits: size of the calibrated maximum of an
    activation. headroom_bits: bits of every window above the calibrated maximum. per_channel: one weight
    scale per output channel, else one per tensor (fewer public numbers). batch: samples of one inference.

    Raises:
        UsageError: an option is outside of its range.

    >>> CompileOptions(activation_bits=12, headroom_bits=1.5).window_above_bits
    14
    """

    weight_bits: int = 10
    activation_bits: int = 10
    headroom_bits: float = 1.0
    per_channel: bool = True
    batch: int = 1

    def __post_init__(self) -> None:
        if not 2 <= self.weight_bits <= 16:
            raise UsageError(f"weights of {self.weight_bits} bits: 2 to 16 are possible")
        if not 1.0 <= self.headroom_bits <= 8.0:
            raise UsageError(f"headroom of {self.headroom_bits} bits: 1 to 8 are possible")
        if self.activation_bits < 2 or self.window_above_bits > MAX_WINDOW_BITS - 8:
            most = MAX_WINDOW_BITS - 8 - math.ceil(self.headroom_bits)
            raise UsageError(
                f"activations of {self.activation_bits} bits: 2 to {most} are possible with this headroom"
            )
        if not 1 <= self.batch <= 4096:
            raise UsageError(f"a batch of {self.batch}: 1 to 4096 are possible")

    @property
    def window_above_bits(self) -> int:
        """The bits of a window above the truncated ones: B - f."""
        return self.activation_bits + math.ceil(self.headroom_bits)


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


def scales_of_activation(
    name: str, expression: Expression, maximum: float, options: CompileOptions, *, reserve_bits: int = 0
) -> tuple[int, int]:
    """Chooses the scale of a linear value and the scale of the activation made of it.

    reserve_bits: bits by which the linear value can still be multiplied.

    Raises:
        ModelError: the layer does not fit the ring with the headroom that is asked for.

    >>> from pi_bench.network.compiler.sums import of_value
    >>> scales_of_activation("relu", of_value(0, 10, (1, 4)), 1.0, CompileOptions())
    (11, 10)
    """
    natural = max(int(_natural_scales(term, options).max()) for term in expression.terms)
    out = min(activation_scale_bits(maximum, options.activation_bits), natural + _EXTRA_BITS)
    largest_truncation = MAX_WINDOW_BITS - options.window_above_bits - reserve_bits
    linear = min(max(natural, out + 1), out + largest_truncation)
    _check_scale(name, linear, expression)
    return linear, out


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
    finest = bits_below(31 - math.ceil(options.headroom_bits), maximum)
    linear = min(natural, finest - _SPARE_OUTPUT_BITS)
    if not _are_held(expression, linear):
        linear = min(natural, finest)
    _check_scale(name, linear, expression)
    return linear


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
    limit = (1 << (options.weight_bits - 1)) - 1
    channels = term.shape[1]
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
