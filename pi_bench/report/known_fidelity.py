"""The fidelity that a loaded model file notes, for reports."""

from __future__ import annotations

from dataclasses import replace

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.fidelity import Fidelity, FidelityGoal, with_chosen_bits
from pi_bench.launch.model import LoadedModel
from pi_bench.network.compiler import CompileOptions
from pi_bench.report.documents import fidelity as document
from pi_bench.report.fidelity import fidelity_part


def known_fidelity(
    model: LoadedModel, law: ActivationLaw, goal: FidelityGoal | None = None
) -> document.Fidelity | None:
    """Describes the fidelity that the model file notes, and tells whether it is that of the loaded program.

    Returns None if the file notes no fidelity.

    Args:
        law: that of the mode. A law that only approximates another makes answers of a fidelity of its own.
        goal: the one to compare the fidelity with, instead of that of the export.

    Raises:
        ModelError: the note is damaged.

    >>> from pi_bench.arithmetic.activation_law import WINDOWED
    >>> from pi_bench.network.compiler import compile_graph
    >>> from pi_bench.network.graph import Graph, InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> notes = {"name": "tiny", "fidelity": Fidelity(4, 4, 0.5, 8.0, "noise").to_fields()}
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta=notes)
    >>> known_fidelity(LoadedModel(graph, *compile_graph(graph), "", 0.0), WINDOWED).of_this_program
    True
    """
    fields = model.graph.meta.get("fidelity")
    if fields is None:
        return None
    exported = with_chosen_bits(model.graph, CompileOptions(batch=model.compiling.batch))
    fused = model.fusion is not None and bool(model.fusion.dissolved)
    same = model.compiling == exported and not fused and law.approximated is None
    fidelity = Fidelity.from_fields(fields)
    if goal is not None:
        fidelity = replace(fidelity, goal=goal)
    return fidelity_part(fidelity, of_this_program=same)
