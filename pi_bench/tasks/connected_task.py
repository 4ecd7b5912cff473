"""Defines one measurement with a server on another machine, and carries it out."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace

from pi_bench.channel import Address
from pi_bench.errors import PeerError
from pi_bench.launch.connected_session import Checked, ConnectedSession, Contact
from pi_bench.launch.expected_logits import ExpectedLogits
from pi_bench.launch.inputs import noise_input
from pi_bench.launch.measurement import LatencyOptions, Measurement
from pi_bench.launch.model import LoadedModel, PublicModel, load
from pi_bench.launch.placement import Placement
from pi_bench.launch.requests import ConnectRequest
from pi_bench.launch.timed_runs import measure_session
from pi_bench.launch.verification import RunVerifier
from pi_bench.measurement_options.table import MeasurementOptions
from pi_bench.metrics.environment import describe_environment
from pi_bench.metrics.machine_use import MachineWatch
from pi_bench.network.graph.float_run import outputs
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.progress import Progress, silent
from pi_bench.report.cautions import result_cautions
from pi_bench.report.documents.latency import ComparedLogits, Result, ServerMachine
from pi_bench.report.known_fidelity import known_fidelity
from pi_bench.report.link import real_link_part
from pi_bench.report.result import build_result
from pi_bench.report.warnings import find_warnings

UNVERIFIED = (
    "a verification needs the server's shares, which reveal its weights to this client; --expect-logits "
    "checks the answer alone, and --insecure-verify at both parties verifies where the server's owner agrees"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectedTask:
    """Everything that one measurement with a server on another machine depends on.

    Attributes:
        address: of the server.
        model: the model file, whose program the server must have; None takes the server's program.
        measuring: the options of the measurement. Those of the fixed point are for the model file.
        protocol, mode: the protocol and the mode that the server must have; None takes the server's.
        options: requires these values of the protocol's own options, by name.
        inputs: real numbers of the input's shape; None draws noise.
        input_text: names the input in the result, such as its file.
        expected: the logits that every run must have; None compares nothing.
        arguments: the arguments of the command, for the result.

    ```python
    def task(address: str) -> ConnectedTask:
        return ConnectedTask(address=Address.parse(address), measuring=MeasurementOptions(threads=1))
    ```
    """

    address: Address
    model: Path | None = None
    measuring: MeasurementOptions = field(default_factory=MeasurementOptions)
    protocol: str | None = None
    mode: str | None = None
    options: Mapping[str, int | str] = field(default_factory=dict)
    inputs: np.ndarray | None = None
    input_text: str = ""
    expected: ExpectedLogits | None = None
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def threads(self) -> int:
        """The computing threads of the client: those that the options give, or one per core."""
        return self.measuring.threads or len(os.sched_getaffinity(0))


class ConnectedMeasurement:
    """A measurement with a server on another machine. The model file, if there is one, is loaded at once.

    Raises:
        PiBenchError: the model file cannot be used.

    ```python
    def online_s(task: ConnectedTask) -> float:
        whole = ConnectedMeasurement(task)
        return whole.result(whole.measure()).online.latency_s.median
    ```
    """

    def __init__(self, task: ConnectedTask, progress: Progress = silent) -> None:
        self.task = task
        self._loaded: LoadedModel | None = None
        self._inputs: np.ndarray | None = None
        self._contact: Contact | None = None
        if task.model is not None:
            asked = task.measuring
            progress("loading the model", 0, asked.stopping.most)
            self._loaded = load(task.model, asked.compiling(task.inputs), fuse=asked.fusion_costs)
            self._require_shapes(self._loaded)

    @property
    def contact(self) -> Contact:
        """The answer of the server. It exists from the first contact on."""
        assert self._contact is not None, "measure comes first"
        return self._contact

    def measure(self, progress: Progress = silent, waiting: Callable[[], None] = lambda: None) -> Measurement:
        """Measures warm-up and timed runs.

        Args:
            waiting: called once if the server is busy.

        Raises:
            PiBenchError: the server was not reached, does not measure or does not meet the requirements, or
                failed before the first timed run had finished.
            KeyboardInterrupt: no timed run has finished.
        """
        task, loaded, asked = self.task, self._loaded, self.task.measuring
        request = ConnectRequest(
            host=task.address.host,
            port=task.address.port,
            expect_digest=asked.expect_digest if loaded is None else loaded.digest,
            threads=task.threads,
            timeout_s=asked.timeout_s,
            poll_s=0.0,
            link=None,
            expect_protocol=task.protocol,
            expect_mode=task.mode,
            other_machine=True,
            insecure_verify=asked.insecure_verify,
            max_ahead=asked.max_ahead,
        )
        place = Placement(task.threads, (), ())
        session = ConnectedSession(
            request, place, asked.stopping, self._prepare, waiting, trace=asked.trace is not None
        )
        with MachineWatch() as watch:
            measurement = measure_session(session, progress)
        measurement.machine_use = watch.use
        return measurement

    def result(self, measurement: Measurement) -> Result:
        """Collects every figure of a measurement with at least one timed run, with its warnings."""
        task, contact, asked = self.task, self.contact, self.task.measuring
        model = PublicModel(contact.program, contact.digest) if self._loaded is None else self._loaded
        float_logits = None
        if asked.insecure_verify and self._loaded is not None and self._inputs is not None:
            float_logits = outputs(self._loaded.graph, self._inputs)
        result = build_result(
            model,
            contact.info,
            LatencyOptions(contact.options, asked.stopping, asked.timeout_s),
            measurement,
            float_logits,
            describe_environment(),
            task.input_text or f"noise, seed {asked.seed}",
            task.arguments,
        )
        assert measurement.probed_link is not None
        law = contact.info.law(contact.options)
        result = replace(
            result,
            link=real_link_part(measurement.probed_link),
            server_environment=_machine(contact.server),
            unverified_reason=None if result.verification is not None else UNVERIFIED,
            expected_logits=_compared(task.expected, measurement),
            fidelity=None if self._loaded is None else known_fidelity(self._loaded, law, asked.goal),
        )
        return replace(
            result,
            warnings=tuple(find_warnings(result, goal_is_asked=asked.goal is not None)),
            cautions=result_cautions(result, measurement.machine_use, None),
        )

    def _prepare(self, contact: Contact) -> Checked:
        """Checks the server's answer, and makes the input and the checks of the runs."""
        self._contact = contact
        task, loaded, program = self.task, self._loaded, contact.program
        for name, wanted in task.options.items():
            offered = contact.options.values.get(name)
            if offered != wanted:
                raise PeerError(f"option {name}: the client insists on {wanted}, the server offers {offered}")
        self._require_shapes(contact)
        inputs = noise_input(program.input, task.measuring.seed) if task.inputs is None else task.inputs
        encoded = encode_input(program, inputs)  # refuses a wrong input
        self._inputs = inputs.reshape(program.input.shape)
        verifier = None
        if task.measuring.insecure_verify and loaded is not None:
            verifier = RunVerifier(program, loaded.weights, contact.info.law(contact.options), encoded)
        return Checked(self._inputs, verifier, task.expected)

    def _require_shapes(self, model: LoadedModel | Contact) -> None:
        if self.task.inputs is not None:
            encode_input(model.program, self.task.inputs)
        if self.task.expected is not None:
            self.task.expected.require_shape(model.program)


def _machine(server: Mapping[str, Any]) -> ServerMachine:
    names = [each.name for each in msgspec.structs.fields(ServerMachine)]
    return ServerMachine(**{name: server[name] for name in names})


def _compared(expected: ExpectedLogits | None, measurement: Measurement) -> ComparedLogits | None:
    if expected is None:
        return None
    return ComparedLogits(
        file=expected.name,
        tolerance=expected.tolerance,
        passed=not any(run.logits_failure for run in measurement.runs),
        max_error=max(run.logits_error or 0.0 for run in measurement.runs),
        compared_run_count=len(measurement.runs),
    )
