"""Answers samples of a data set by real runs of two parties, each of them verified."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pi_bench.errors import interruption_code
from pi_bench.launch.latency import measure_latency
from pi_bench.launch.measurement import LatencyOptions
from pi_bench.launch.model import LoadedModel
from pi_bench.launch.placement import Placement
from pi_bench.launch.samples import CHUNK_SAMPLES, Answers, answers_of, chunk_bounds
from pi_bench.launch.stopping import Stopping
from pi_bench.launch.verification import RunVerifier
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph import Graph
from pi_bench.network.program.codec import program_digest
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.progress import Progress, silent
from pi_bench.protocol import ProtocolInfo, ProtocolOptions

_PRIVATE_RELUS = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class PrivateAnswers:
    """Answers of real runs of the protocol.

    `failures`: one sentence for each place where a run broke its law.
    `interruption`: the exit code if Ctrl-C or SIGTERM left images out, else None.

    >>> PrivateAnswers(Answers(np.array([0]), np.zeros((1, 10))), failures=()).interruption is None
    True
    """

    answers: Answers
    failures: tuple[str, ...]
    interruption: int | None = None


def run_privately(
    graph: Graph,
    compiling: CompileOptions,
    info: ProtocolInfo,
    options: ProtocolOptions,
    place: Placement,
    inputs: np.ndarray,
    index: np.ndarray,
    timeout_s: float,
    progress: Progress,
) -> PrivateAnswers:
    """Returns the answers of two real parties to the images that `index` numbers. Each run is verified.

    Ctrl-C ends the runs with the images that are finished.

    Raises:
        PiBenchError: a party failed.
        KeyboardInterrupt: no image is finished.

    ```python
    from pi_bench.launch.placement import place
    from pi_bench.registry import default_protocol

    def first_answers(graph: Graph, inputs: np.ndarray) -> PrivateAnswers:
        info, first = default_protocol(), np.arange(8)
        options = info.configure()
        return run_privately(graph, CompileOptions(), info, options, place(1), inputs, first, 120.0, silent)
    ```
    """
    program, _ = compile_graph(graph, compiling)
    size = max(1, min(CHUNK_SAMPLES, _PRIVATE_RELUS // max(1, program.relu_count + program.truncation_count)))
    logits: list[np.ndarray] = []
    failures: list[str] = []
    interruption = None
    try:
        for start, end in chunk_bounds(len(index), size):
            progress("running privately", start, len(index))
            batch = inputs[index[start:end]]
            program, weights = compile_graph(graph, replace(compiling, batch=len(batch)))
            model = LoadedModel(graph, program, weights, program_digest(program), 0.0)
            encoded = encode_input(program, batch)
            verifier = RunVerifier(program, weights, info.law(options), encoded)
            once = LatencyOptions(options, Stopping(runs=1, warmup=0), timeout_s)
            measured = measure_latency(model, info, once, place, batch, verifier, silent)
            failures.extend(measured.runs[0].verdict.failures)
            logits.append(measured.logits)
            if measured.interruption is not None:  # after its run: this chunk is whole
                interruption = measured.interruption
                break
    except KeyboardInterrupt as error:
        if not logits:
            raise
        interruption = interruption_code(error)
    count = sum(map(len, logits))
    return PrivateAnswers(answers_of(index[:count], logits), tuple(failures), interruption)
