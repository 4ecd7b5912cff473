"""Says which answers to compare: of which network, on which images, and by which protocol."""

from __future__ import annotations

from dataclasses import dataclass

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.launch.placement import Placement
from pi_bench.launch.samples import Samples
from pi_bench.network.compiler import CompileOptions
from pi_bench.network.graph import Graph
from pi_bench.network.program import Program
from pi_bench.protocol import ProtocolInfo, ProtocolOptions


@dataclass(frozen=True, slots=True, eq=False)
class AccuracyTask:
    """Holds everything that a run of `pi-bench accuracy` depends on.

    Attributes:
        graph: the float network.
        compiling: the options that make the integer network of it.
        program: the integer network for one image.
        info, options: the protocol of the private runs, with its options.
        place: the threads and cores of both parties.

    ```python
    from pi_bench.launch.placement import place
    from pi_bench.network.compiler import compile_graph
    from pi_bench.registry import default_protocol

    def task_of(graph: Graph, samples: Samples) -> AccuracyTask:
        compiling, info = CompileOptions(), default_protocol()
        program, _ = compile_graph(graph, compiling)
        return AccuracyTask(graph, compiling, program, info, info.configure(), samples, place(1))
    ```
    """

    graph: Graph
    compiling: CompileOptions
    program: Program
    info: ProtocolInfo
    options: ProtocolOptions
    samples: Samples
    place: Placement

    @property
    def law(self) -> ActivationLaw:
        """The law by which the integer network and the private runs answer."""
        return self.info.law(self.options)
