"""Loads a model file as public program and secret weights. Here alone the launcher meets torch."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.files.model_file import load_model
from pi_bench.network.fusion import CostTable, Fusion, fuse_linear
from pi_bench.network.graph import Graph
from pi_bench.network.program import Program, Weights
from pi_bench.network.program.codec import program_digest, program_to_bytes

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    """Model file, compiled: the float network, the public program and the secret weights.

    Attributes:
        digest: digest of the program, in hex.
        load_s: time of loading and compiling.
        fusion: the fused linear layers; None if fusion was not asked for.
        compiling: the options that the program was compiled with.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta={"name": "tiny"})
    >>> program, weights = compile_graph(graph)
    >>> sorted(LoadedModel(graph, program, weights, program_digest(program), 0.0).as_arrays())
    ['program']
    """

    graph: Graph
    program: Program
    weights: Weights
    digest: str
    load_s: float
    fusion: Fusion | None = None  # None: was not asked for
    compiling: CompileOptions = field(default_factory=CompileOptions)

    def as_arrays(self) -> dict[str, np.ndarray]:
        """Returns the arrays for the server process: ``program``, as bytes, and the weights as ``w:NAME``."""
        program = np.frombuffer(program_to_bytes(self.program), np.uint8)
        return {"program": program} | {f"w:{name}": array for name, array in self.weights.items()}


@dataclass(frozen=True, slots=True)
class PublicModel:
    """The public program that a client receives from a server, without the model file.

    >>> from pi_bench.testing import small_network
    >>> program, _ = small_network()
    >>> PublicModel(program, program_digest(program)).load_s
    0.0
    """

    program: Program
    digest: str
    graph: None = None
    load_s: float = 0.0
    fusion: None = None
    compiling: None = None


def load(
    path: Path,
    compiling: CompileOptions | Callable[[Graph], CompileOptions],
    *,
    fuse: CostTable | None = None,
) -> LoadedModel:
    """Loads and compiles a model file.

    Args:
        fuse: fuses linear layers where that pays by these costs. With None, nothing is fused.
        compiling: those of the compiler, or a function that chooses them for the network in the file.

    Raises:
        ModelError: the file is no model, or the network cannot be compiled with these options.

    >>> import tempfile
    >>> from pi_bench.network.files.model_file import save_model
    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (2,)), ReluNode("relu", ("x",), (2,)), OutputNode("o", ("relu",), (2,))
    >>> graph = Graph(nodes, {}, ranges=dict.fromkeys(("x", "relu", "o"), 4.0), meta={"name": "tiny"})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(graph, Path(folder, "model.pt"))
    ...     load(Path(folder, "model.pt"), CompileOptions()).program.name
    'tiny'
    """
    started = time.perf_counter()
    graph, fusion = load_model(path), None
    if callable(compiling):
        compiling = compiling(graph)
    if fuse is not None:
        graph, fusion = fuse_linear(graph, compiling.most_weight_bits, fuse)
    program, weights = compile_graph(graph, compiling)
    load_s = time.perf_counter() - started
    _log.info("%s: loaded and compiled in %.3f s, %d operators", path, load_s, len(program.ops))
    return LoadedModel(graph, program, weights, program_digest(program), load_s, fusion, compiling)
