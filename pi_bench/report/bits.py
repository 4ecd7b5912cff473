"""The bits of the fixed point by layer, for reports."""

from __future__ import annotations

from collections.abc import Iterable

from pi_bench.network.compiler import CompileOptions
from pi_bench.network.compiler.options import layer_of
from pi_bench.network.program import ActivationOp, LinearOp, Program
from pi_bench.report.documents.fidelity import LayerBits


def bits_part(program: Program, compiling: CompileOptions) -> LayerBits:
    """Lists the bits of each layer of a program that was compiled with the options `compiling`.

    >>> from pi_bench.network.program import InputOp, OutputOp
    >>> ops = InputOp(0, "input", (1, 2), 4, bound=4.0), OutputOp(1, "output", (1, 2), 0, 4)
    >>> bits_part(Program("tiny", ops, 10, ()), CompileOptions(activation_bits=9)).activations
    {'input': 9}
    """
    truncated = [op.name for op in program.ops if isinstance(op, ActivationOp) and op.truncate_bits]
    weights = [
        term.weighted.weight
        for op in program.ops
        if isinstance(op, LinearOp)
        for term in op.terms
        if term.weighted is not None
    ]
    return LayerBits(
        activations={name: compiling.activation_bits_of(name) for name in (program.input.name, *truncated)},
        weights={layer_of(name): compiling.weight_bits_of(name) for name in weights},
    )


def bits_text(bits: LayerBits) -> str:
    """Writes the bits of all layers in a few words.

    >>> bits_text(LayerBits(activations={"input": 8, "relu": 12}, weights={"conv": 10}))
    'activation bits 8 to 12, weight bits 10'
    """
    words = f"activation bits {_span(bits.activations.values())}"
    return f"{words}, weight bits {_span(bits.weights.values())}" if bits.weights else words


def _span(bits: Iterable[int]) -> str:
    least, *_, most = sorted([*bits] * 2)
    return f"{least}" if least == most else f"{least} to {most}"
