"""A written model file, as a document and as text."""

from __future__ import annotations

from typing import Any

from pi_bench.fidelity import Fidelity, with_chosen_bits
from pi_bench.network.clamps import clamped_count
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph import BatchNormNode, Graph
from pi_bench.network.program.codec import program_digest
from pi_bench.report.bits import bits_part
from pi_bench.report.clamps import export_clamp_lines
from pi_bench.report.documents.export import Export
from pi_bench.report.fidelity import fidelity_line, fidelity_part
from pi_bench.report.quantities import counted
from pi_bench.report.weights import export_text, weights_of


def build_export(graph: Graph, path: str, arguments: dict[str, Any]) -> Export:
    """Describes the graph of a model file that was written to `path`.

    ```python
    import pi_bench

    def digest_of(module: Any, images: Any) -> str:
        graph = pi_bench.export(module, images[:1], "model.pt", calibration=images)
        return build_export(graph, "model.pt", {}).digest
    ```
    """
    meta, options = graph.meta, with_chosen_bits(graph, CompileOptions())
    program, _ = compile_graph(graph, options)
    all_count, batch_norm_count = parameter_counts(graph)
    return Export(
        schema_version=1,
        path=path,
        name=meta["name"],
        digest=program_digest(program),
        input_shape=list(graph.input.shape),
        output_shape=list(graph.output.shape),
        relu_count=graph.relu_count,
        clamped_count=clamped_count(graph),
        polynomial_count=graph.polynomial_count,
        parameter_count=all_count,
        batch_norm_parameter_count=batch_norm_count,
        label_count=len(graph.labels),
        weights=weights_of(meta),
        seed=meta.get("seed"),
        left_to_client=[step["operator"] for step in meta.get("left_to_client", ())],
        calibration_source=meta["calibration"]["source"],
        calibration_sample_count=meta["calibration"]["sample_count"],
        headroom_bits=dict(meta["headroom_bits"]),
        bits=bits_part(program, options),
        fidelity=fidelity_part(Fidelity.from_fields(meta["fidelity"]), of_this_program=True)
        if "fidelity" in meta
        else None,
        arguments=arguments,
    )


def parameter_counts(graph: Graph) -> tuple[int, int]:
    """Counts the parameters of a graph, and those of them that belong to batch normalizations.

    >>> parameter_counts(Graph((), {}))
    (0, 0)
    """
    batch_norms = [node for node in graph.nodes if isinstance(node, BatchNormNode)]
    statistics = {name for node in batch_norms for name in (node.mean, node.variance)}
    trained = {name for node in batch_norms for name in (node.weight, node.bias)}
    sizes = {name: array.size for name, array in graph.parameters.items() if name not in statistics}
    return sum(sizes.values()), sum(size for name, size in sizes.items() if name in trained)


def describe(graph: Graph, path: str, *, folded: bool = False) -> str:
    """Describes a written model file for the terminal: network, weights, calibration and headroom.

    Args:
        folded: whether the network comes from a file whose exporter folds batch normalizations into weights.

    >>> from pi_bench.network.graph import InputNode, OutputNode
    >>> nodes = (InputNode("input", (), (3, 8, 8)), OutputNode("output", ("input",), (3, 8, 8)))
    >>> calibration = {"sample_count": 4, "source": "given inputs"}
    >>> meta = {"name": "identity", "random_weights": False, "headroom_bits": {}, "calibration": calibration}
    >>> print(describe(Graph(nodes, {}, {}, meta=meta), "model.pt"))
    wrote model.pt: identity
      0 ReLUs, input 3 x 8 x 8, 3 outputs, 0 parameters
      weights given
      calibrated on 4 samples of given inputs
    """
    meta = graph.meta
    shape = " x ".join(map(str, graph.input.shape))
    polynomials = f"{graph.polynomial_count:,} polynomials, " if graph.polynomial_count else ""
    headroom = meta["headroom_bits"]
    tightest = min(headroom, key=headroom.__getitem__, default=None)
    lines = [
        f"wrote {path}: {meta['name']}",
        f"  {counted(graph.relu_count, 'ReLU')}, {polynomials}input {shape}, "
        f"{counted(graph.output.shape[0], 'output')}, {_parameter_text(graph, folded)}",
        *(f"  {line}" for line in export_clamp_lines(clamped_count(graph))),
        f"  {export_text(meta)}",
    ]
    left = [step["operator"].replace("_", "-") for step in meta.get("left_to_client", ())]
    if left:
        lines.append(
            f"  its last step, {' and '.join(left)}, is left out: the client applies it to the logits"
        )
    calibration = meta["calibration"]
    line = f"  calibrated on {counted(calibration['sample_count'], 'sample')} of {calibration['source']}"
    if tightest is not None:
        line += f"; headroom at least {headroom[tightest]:.2f} bits ({tightest})"
    lines.append(line)
    if "fidelity" in meta:
        fidelity = fidelity_part(Fidelity.from_fields(meta["fidelity"]), of_this_program=True)
        lines.append(f"  {fidelity_line(fidelity, weights_of(meta))}")
        lines.append(f"  {_bits_text(meta['bits'])}")
    if calibration["source"] == "seeded noise" and not meta.get("random_weights"):
        lines.append(
            "  real inputs may leave ranges that noise has set: give some with --calibration FILE.npy"
        )
    return "\n".join(lines)


def _parameter_text(graph: Graph, folded: bool) -> str:
    """Writes the number of parameters, and why another count of the same network may differ."""
    all_count, batch_norm_count = parameter_counts(graph)
    words = counted(all_count, "parameter")
    if batch_norm_count:
        return (
            f"{words} ({batch_norm_count:,} of batch normalizations; `pi-bench inspect` and most ONNX files "
            "have them folded into the weights, so they count fewer)"
        )
    if folded:
        return f"{words} (of the file: its exporter may have folded batch normalizations into the weights)"
    return words


def _bits_text(bits: dict[str, Any]) -> str:
    """Describes the bits that an export chose."""
    by_layer = [*bits["layer_activations"].values()] or [bits["activations"]]
    low, high = min(by_layer), max(by_layer)
    activations = f"{low} to {high}" if low < high else str(low)
    return f"bits: {bits['weights']} of weights, {activations} of activations"
