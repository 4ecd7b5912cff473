"""Defines one measurement of a network, and carries it out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from pi_bench.costs import Costs
from pi_bench.errors import interruption_code
from pi_bench.launch.inputs import noise_input
from pi_bench.launch.latency import MeasuringSession, measure_latency
from pi_bench.launch.measurement import LatencyOptions, Measurement
from pi_bench.launch.model import LoadedModel, load
from pi_bench.launch.placement import Placement
from pi_bench.launch.verification import RunVerifier
from pi_bench.measurement_options.table import MeasurementOptions
from pi_bench.metrics.environment import describe_environment
from pi_bench.metrics.machine_use import MachineWatch
from pi_bench.network.graph.float_run import outputs
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.prediction.floor import floor_of
from pi_bench.prediction.limits import Limits
from pi_bench.prediction.simulated_run import Setting
from pi_bench.progress import Progress, silent
from pi_bench.protocol import ProtocolInfo, ProtocolOptions
from pi_bench.report.cautions import result_cautions
from pi_bench.report.documents.fidelity import FidelityOrNull
from pi_bench.report.documents.latency import Result
from pi_bench.report.floor import floor_part, limits_part
from pi_bench.report.known_fidelity import known_fidelity
from pi_bench.report.prediction import compared
from pi_bench.report.result import build_result
from pi_bench.report.warnings import contradicts_prediction, find_warnings
from pi_bench.tasks.predicting import predict


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Everything that one measurement depends on.

    Attributes:
        model: the model file.
        info: the protocol.
        options: the protocol's own options. Their `threads` are those of `place`.
        place: threads and cores of both parties.
        measuring: the options of the measurement.
        inputs: real numbers of the input's shape; None draws noise.
        input_text: names the input in the result, such as its file.
        find_costs: finds the costs to predict with; None predicts nothing.
        measure_costs: measures the costs again if the runs contradict the prediction; None never does.
        find_limits: finds the limits of this machine right before the parties start; None computes no floor.
        arguments: the arguments of the command, for the result.

    ```python
    from pi_bench.launch.placement import place
    from pi_bench.registry import default_protocol

    def task(model_file: Path) -> Task:
        info, here = default_protocol(), place(1)
        return Task(model=model_file, info=info, options=info.configure(), place=here)
    ```
    """

    model: Path
    info: ProtocolInfo
    options: ProtocolOptions
    place: Placement
    measuring: MeasurementOptions = field(default_factory=MeasurementOptions)
    inputs: np.ndarray | None = None
    input_text: str = ""
    find_costs: Callable[[Progress], Costs | None] | None = None
    measure_costs: Callable[[Progress], Costs | None] | None = None
    find_limits: Callable[[Progress], Limits | None] | None = None
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PreparedTask:
    """A task whose network is compiled and whose input is checked: nothing but the parties can fail now.

    ```python
    def online_s(task: Task) -> float:
        whole = prepared(task)
        return whole.result(whole.measure()).online.latency_s.median
    ```
    """

    task: Task
    model: LoadedModel
    inputs: np.ndarray
    verifier: RunVerifier
    costs: Costs | None
    fidelity: FidelityOrNull
    limits: Limits | None = None

    @property
    def options(self) -> LatencyOptions:
        """The options of the measurement."""
        task = self.task
        asked = task.measuring
        return LatencyOptions(
            task.options,
            asked.stopping,
            asked.timeout_s,
            asked.expect_digest,
            asked.link,
            trace=asked.trace is not None,
        )

    def session(self) -> MeasuringSession:
        """Makes the context in which both parties run."""
        task = self.task
        return MeasuringSession(self.model, task.info, self.options, task.place, self.inputs, self.verifier)

    def measure(self, progress: Progress = silent) -> Measurement:
        """Measures warm-up and timed runs.

        Raises:
            PiBenchError: a party failed; the message names it.
            KeyboardInterrupt: no timed run has finished.
        """
        task = self.task
        with MachineWatch() as watch:
            measurement = measure_latency(
                self.model, task.info, self.options, task.place, self.inputs, self.verifier, progress
            )
        measurement.machine_use = watch.use
        return measurement

    def result(self, measurement: Measurement, progress: Progress = silent) -> Result:
        """Collects every figure of a measurement with at least one timed run, with its warnings.

        Costs that a busy machine measured predict too long times. So they are measured once more if the runs
        contradict the prediction. An interruption keeps the first prediction and is noted in `measurement`.
        """
        task = self.task
        result = build_result(
            self.model,
            task.info,
            self.options,
            measurement,
            outputs(self.model.graph, self.inputs),
            describe_environment(),
            task.input_text or f"noise, seed {task.measuring.seed}",
            task.arguments,
        )
        if self.costs is not None:
            result = self._predicted(result, self.costs)
            if contradicts_prediction(result) and task.measure_costs is not None:
                try:
                    costs = task.measure_costs(progress)
                    result = result if costs is None else self._predicted(result, costs)
                except KeyboardInterrupt as interruption:
                    measurement.interruption = interruption_code(interruption)
        result = replace(self._with_floor(result), fidelity=self.fidelity)
        return replace(
            result,
            warnings=tuple(find_warnings(result, goal_is_asked=task.measuring.goal is not None)),
            cautions=result_cautions(result, measurement.machine_use, self.limits),
        )

    def _with_floor(self, result: Result) -> Result:
        """Returns the result with the machine's limits and the floor, where the limits are known."""
        if self.limits is None:
            return result
        task, program = self.task, self.model.program
        floor = floor_of(
            task.info,
            program,
            task.options,
            self.limits,
            task.measuring.link,
            round_count=result.online.comm_round_count,
        )
        measured_s = {"offline_s": result.offline.time_s, "online_s": result.online.latency_s.median}
        return replace(
            result, limits=limits_part(self.limits), floor=floor_part(floor, program, **measured_s)
        )

    def _predicted(self, result: Result, costs: Costs) -> Result:
        """Adds the prediction, and the explanation if the task asks for it."""
        task = self.task
        setting = Setting(costs, task.measuring.link, polls=task.place.pinned)
        predicted, explanation = predict(
            self.model, self.model.compiling, task.info, task.options, setting, explain=task.measuring.explain
        )
        return replace(result, prediction=compared(predicted, result), explanation=explanation)


def prepared(task: Task, progress: Progress = silent) -> PreparedTask:
    """Loads and compiles the network of a task, and checks its input, before any party starts.

    Raises:
        PiBenchError: the model, the input or an option cannot be used.

    ```python
    def compiled(task: Task) -> LoadedModel:
        return prepared(task).model
    ```
    """
    asked = task.measuring
    progress("loading the model", 0, asked.stopping.most)
    model = load(task.model, asked.compiling(task.inputs), fuse=asked.fusion_costs)
    program = model.program
    task = dataclasses.replace(task, options=task.info.settle(program, task.options, asked.link))
    task.info.require(program, task.options)
    law = task.info.law(task.options)
    fidelity = known_fidelity(model, law, asked.goal)  # refuses a damaged note
    inputs = noise_input(program.input, asked.seed) if task.inputs is None else task.inputs
    encoded = encode_input(program, inputs)  # refuses a wrong input
    costs = None if task.find_costs is None else task.find_costs(progress)
    verifier = RunVerifier(program, model.weights, law, encoded)
    limits = None if task.find_limits is None else task.find_limits(progress)
    return PreparedTask(task, model, inputs.reshape(program.input.shape), verifier, costs, fidelity, limits)
