"""A model file as public program and secret weights: the one place where the launcher meets torch."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.files.model_file import load_model
from pi_bench.network.fusion import Fusion, fuse_linear
from pi_bench.network.graph import Graph
from pi_bench.network.program import Program, Weights
from pi_bench.network.program.codec import program_digest, program_to_bytes

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadedModel:
    graph: Graph
    program: Program
    weights: Weights
    digest: str
    load_s: float
    merging: Fusion | None = None  # None: was not asked for

    def as_arrays(self) -> dict[str, np.ndarray]:
        """What the server process is given: the program's bytes, and weights as ``w:NAME``."""
        program = np.frombuffer(program_to_bytes(self.program), np.uint8)
        return {"program": program} | {f"w:{name}": array for name, array in self.weights.items()}


def load(path: Path, options: CompileOptions, *, merge: bool = False) -> LoadedModel:
    """`merge`: with linear layers merged where that pays.

    Raises: ModelError.
    """
    started = time.perf_counter()
    graph, merging = load_model(path), None
    if merge:
        graph, merging = fuse_linear(graph, options.weight_bits)
    program, weights = compile_graph(graph, options)
    load_s = time.perf_counter() - started
    _log.info("%s: loaded and compiled in %.3f s, %d operators", path, load_s, len(program.ops))
    return LoadedModel(graph, program, weights, program_digest(program), load_s, merging)
