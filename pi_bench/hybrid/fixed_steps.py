"""Names the costs of hybrid protocols that do not depend on the size of a step, and where they show."""

from __future__ import annotations

from pi_bench.costs import CostUnits
from pi_bench.hybrid.parts import GARBLING, OT, TABLES
from pi_bench.network.program import Program
from pi_bench.protocol.script import FixedStep
from pi_bench.protocol.session import Party

CLIENT_SLICE, SERVER_SLICE = (CostUnits({f"{party} slice": 1.0}) for party in Party)
"""One slice of a gadget online."""

LINEAR_TERM = CostUnits({"linear operator": 1.0})
"""One term of a linear operator online, at the server."""

CLIENT_EXCHANGE, SERVER_EXCHANGE = (CostUnits({f"{party} exchange": 1.0}) for party in Party)
"""One step of an exchange offline."""

CLIENT_END, SERVER_END = (CostUnits({f"{party} end": 1.0}) for party in Party)
"""Both ends of an inference: quantizing the input, and the output."""

FIXED_UNITS: tuple[str, ...] = tuple(
    name
    for work in (
        *(CLIENT_SLICE, SERVER_SLICE, LINEAR_TERM, CLIENT_EXCHANGE, SERVER_EXCHANGE),
        *(CLIENT_END, SERVER_END),
    )
    for name in work.units
)


def online_steps(program: Program) -> tuple[FixedStep, ...]:
    """Lists the fixed steps of the online phase.

    >>> from pi_bench.network.compiler import compile_graph
    >>> from pi_bench.network.graph import Graph, InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (4,)), ReluNode("r", ("x",), (4,)), OutputNode("y", ("r",), (4,))
    >>> program, _ = compile_graph(Graph(nodes, {}, ranges={"x": 1.0, "r": 1.0, "y": 1.0}))
    >>> [step.unit for step in online_steps(program)]
    ['client end', 'server end', 'client slice', 'server slice', 'linear operator']
    """
    ends = frozenset({(program.input.id, ""), (program.output.id, "")})
    activations = frozenset((op.id, "") for op in program.activation_ops)
    linear = frozenset((op.id, "") for op in program.linear_ops)
    return (
        FixedStep("client end", Party.CLIENT, ends),
        FixedStep("server end", Party.SERVER, ends),
        FixedStep("client slice", Party.CLIENT, activations),
        FixedStep("server slice", Party.SERVER, activations),
        FixedStep("linear operator", Party.SERVER, linear),
    )


def offline_steps(program: Program) -> tuple[FixedStep, ...]:
    """Lists the fixed steps of the offline phase.

    They are measured where labels and tables are exchanged. The products under encryption compute for so long
    that the cost of their exchanges would be lost in the noise.

    >>> from pi_bench.network.compiler import compile_graph
    >>> from pi_bench.network.graph import Graph, InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (4,)), ReluNode("r", ("x",), (4,)), OutputNode("y", ("r",), (4,))
    >>> program, _ = compile_graph(Graph(nodes, {}, ranges={"x": 1.0, "r": 1.0, "y": 1.0}))
    >>> [step.unit for step in offline_steps(program)]
    ['client exchange', 'server exchange']
    """
    steps = {op.id for op in program.linear_ops} | {op.id for op in program.activation_ops}
    tables = frozenset((step, part) for step in steps for part in (OT, GARBLING, TABLES))
    return (
        FixedStep("client exchange", Party.CLIENT, tables),
        FixedStep("server exchange", Party.SERVER, tables),
    )
