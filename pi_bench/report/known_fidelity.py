"""The fidelity that a loaded model file notes, for reports."""

from __future__ import annotations

from dataclasses import replace

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.fidelity import is_of_program, noted_fidelity
from pi_bench.launch.model import LoadedModel
from pi_bench.network.compiler import compile_graph
from pi_bench.network.program.codec import program_digest
from pi_bench.report.documents.fidelity import Fidelity
from pi_bench.report.fidelity import fidelity_part


def known_fidelity(model: LoadedModel, law: ActivationLaw) -> Fidelity | None:
    """Describes the fidelity that the model file notes, and tells whether it is that of the loaded program.

    law: that of the mode. A law that only approximates another makes answers of a fidelity of its own.

    Raises:
        ModelError: the note is damaged.

    >>> from pi_bench.arithmetic.activation_law import WINDOWED
    >>> from pi_bench.network.graph import Graph, InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta={"name": "tiny"})
    >>> program, weights = compile_graph(graph)
    >>> known_fidelity(LoadedModel(graph, program, weights, program_digest(program), 0.0), WINDOWED) is None
    True
    """
    meta = model.graph.meta
    fidelity = noted_fidelity(meta)
    if fidelity is None:
        return None
    digest = model.digest
    if model.options.batch != 1:  # a batch is of the program, and changes no answer
        program, _ = compile_graph(model.graph, replace(model.options, batch=1))
        digest = program_digest(program)
    same = law.baseline is None and is_of_program(meta, digest)
    return fidelity_part(fidelity, of_this_program=same)
