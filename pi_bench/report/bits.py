"""The fixed point for reports: the bits of each layer, headroom, scales and calibration."""

from __future__ import annotations

from collections.abc import Iterable

from pi_bench.network.compiler import CompileOptions
from pi_bench.network.compiler.options import layer_of
from pi_bench.network.graph import Graph
from pi_bench.network.program import ActivationOp, LinearOp, Program
from pi_bench.report.documents.fidelity import LayerBits, Quantization
from pi_bench.report.quantities import counted


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


def quantization_part(graph: Graph, compiling: CompileOptions) -> Quantization:
    """Tells how a network was calibrated, and how it was compiled with the options `compiling`.

    >>> graph = Graph((), {}, meta={"calibration": {"sample_count": 16, "source": "given inputs"}})
    >>> quantization_part(graph, CompileOptions()).calibration_sample_count
    16
    """
    calibration = graph.meta.get("calibration") or {}
    return Quantization(
        headroom_bits=compiling.headroom_bits,
        per_channel=compiling.per_channel,
        calibration_source=calibration.get("source"),
        calibration_sample_count=calibration.get("sample_count") or None,
    )


def quantization_text(bits: LayerBits | None, quantization: Quantization | None) -> str:
    """Writes bits, headroom, scales and calibration in a line; "" where a result notes none of them.

    >>> quantization_text(None, quantization_part(Graph((), {}), CompileOptions()))
    'headroom 1 bit, scales per channel, calibration unknown'
    """
    words = [] if bits is None else [bits_text(bits)]
    if quantization is not None:
        count, source = quantization.calibration_sample_count, quantization.calibration_source
        samples = "calibrated" if count is None else f"calibrated on {counted(count, 'sample')}"
        words += [
            f"headroom {counted(quantization.headroom_bits, 'bit')}",
            f"scales {'per channel' if quantization.per_channel else 'per tensor'}",
            "calibration unknown" if source is None else f"{samples} of {source}",
        ]
    return ", ".join(words)


def _span(bits: Iterable[int]) -> str:
    least, *_, most = sorted([*bits] * 2)
    return f"{least}" if least == most else f"{least} to {most}"
