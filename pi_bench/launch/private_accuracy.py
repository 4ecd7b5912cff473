"""Answers samples of a data set by real runs of two parties, each of them verified."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pi_bench.errors import interruption_code
from pi_bench.launch.accuracy_task import AccuracyTask
from pi_bench.launch.latency import measure_latency
from pi_bench.launch.measurement import LatencyOptions
from pi_bench.launch.model import LoadedModel
from pi_bench.launch.samples import CHUNK_SAMPLES, Answers, answers_of, chunk_bounds
from pi_bench.launch.stopping import Stopping
from pi_bench.launch.verification import RunVerifier
from pi_bench.network.compiler import compile_graph
from pi_bench.network.program.codec import program_digest
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.progress import Progress, silent

_PRIVATE_RELUS = 400_000


@dataclass(frozen=True, slots=True, eq=False)
class PrivateAnswers:
    """Answers of real runs of the protocol.

    Attributes:
        failures: one sentence for each place where a run broke its law.
        interruption: the exit code if Ctrl-C or SIGTERM left images out, else None.

    >>> PrivateAnswers(Answers(np.array([0]), np.zeros((1, 10))), failures=()).interruption is None
    True
    """

    answers: Answers
    failures: tuple[str, ...]
    interruption: int | None = None


def run_privately(
    task: AccuracyTask, index: np.ndarray, timeout_s: float, progress: Progress
) -> PrivateAnswers:
    """Returns the answers of two real parties to the images that `index` numbers. Each run is verified.

    Ctrl-C ends the runs with the images that are finished.

    Raises:
        PiBenchError: a party failed.
        KeyboardInterrupt: no image is finished.

    ```python
    def first_answers(task: AccuracyTask) -> PrivateAnswers:
        return run_privately(task, np.arange(8), 120.0, silent)
    ```
    """
    program = task.program
    size = max(1, min(CHUNK_SAMPLES, _PRIVATE_RELUS // max(1, program.relu_count + program.truncation_count)))
    logits: list[np.ndarray] = []
    failures: list[str] = []
    interruption = None
    try:
        for start, end in chunk_bounds(len(index), size):
            progress("running privately", start, len(index))
            batch = task.samples.inputs[index[start:end]]
            compiling = replace(task.compiling, batch=len(batch))
            program, weights = compile_graph(task.graph, compiling)
            model = LoadedModel(task.graph, program, weights, program_digest(program), 0.0)
            encoded = encode_input(program, batch)
            verifier = RunVerifier(program, weights, task.law, encoded)
            once = LatencyOptions(task.options, Stopping(runs=1, warmup=0), timeout_s)
            measured = measure_latency(model, task.info, once, task.place, batch, verifier, silent)
            failures.extend(measured.runs[0].failures)
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
