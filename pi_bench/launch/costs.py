"""Measures the costs of this machine in a few seconds and keeps them in the cache of the user.

Primitives are timed in this process (`pi_bench.measure.costs`). The costs of messages, and of the steps that
cost the same whatever their size, show only between two parties. Two small networks therefore run between two
real processes. The time that the units of primitives do not explain there is attributed to messages and to
the fixed steps that the protocol's script names (`FixedStep`).
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import quantiles

import numpy as np

import pi_bench
from pi_bench.costs import CONTENTION, LINK_UNITS, Costs, CostUnits
from pi_bench.errors import InputError, UsageError
from pi_bench.launch import placement
from pi_bench.launch.inputs import noise_input
from pi_bench.launch.latency import LatencyOptions, Run, measure_latency
from pi_bench.launch.model import LoadedModel
from pi_bench.launch.verification import RunVerifier
from pi_bench.measure.costs import primitive_costs
from pi_bench.measure.environment import describe_machine
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import ConvNode, Graph, InputNode, Node, OutputNode, ReluNode
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.program.codec import program_digest
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.prediction.costs_file import cached_path, read_costs, write_costs
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.prediction.simulation import Simulation
from pi_bench.primitives import Primitive
from pi_bench.primitives.built_in import BUILT_IN
from pi_bench.primitives.primitive import units_of
from pi_bench.progress import Progress
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.protocol.script import FixedStep, RunScript
from pi_bench.session import PhaseRecord

_CHAIN = (8, 2, 2), 8, 12, 1  # shape, channels, layers, kernel: computing costs next to nothing
_WIDE = (64, 16, 16), 64, 3, 3  # as a middle layer of a ResNet: messages of many slices
_RUNS, _WARMUP = 7, 2
_SLOWEST_BYTE_S, _HALVINGS = 4e-9, 30
_TIMEOUT_S = 60.0
_WEIGHT_CACHE_BYTES = 1 << 30


def machine_costs(info: ProtocolInfo, threads: int, progress: Progress, *, again: bool = False) -> Costs:
    """Gives the costs of this machine and build, from the cache of the user if they are in there.

    `again`: measures them in any case.

    Raises:
        PiBenchError: the two parties cannot run on this machine.

    ```python
    def measured_costs(info: ProtocolInfo) -> Costs:  # takes a few seconds
        return machine_costs(info, 1, lambda what, done, total: None)
    ```
    """
    machine = describe_build(info)
    path = cached_path(machine, threads)
    if path is not None and not again:
        with contextlib.suppress(InputError):  # not there, damaged, or measured for an older protocol
            costs = read_costs(path)
            costs.require(needed_units(info, threads))
            return costs
    costs = measure_costs(info, threads, machine, progress)
    if path is not None:
        with contextlib.suppress(OSError):  # without a cache they are measured every time
            write_costs(costs, path)
    return costs


def describe_build(info: ProtocolInfo) -> dict[str, str]:
    """Describes what costs depend on: processor, instruction set, protocol, versions and the native code.

    >>> from pi_bench.registry import find_protocol, protocol_names
    >>> name = protocol_names()[0]
    >>> describe_build(find_protocol(name))["protocol"] == name
    True
    """
    spec = importlib.util.find_spec("pi_bench._native")
    native = Path(spec.origin).read_bytes() if spec is not None and spec.origin is not None else b""
    return {
        **describe_machine(),
        "pi-bench": pi_bench.__version__,
        "native": hashlib.sha256(native).hexdigest()[:16],
        "protocol": info.name,
    }


def needed_units(info: ProtocolInfo, threads: int) -> tuple[str, ...]:
    """Lists every unit that a prediction of the protocol may need.

    These are the units of the primitives of this package, those of the protocol's own primitives, and those
    of the fixed steps that its script names.

    Raises:
        UsageError: two primitives declare the same unit.

    >>> from pi_bench.registry import find_protocol, protocol_names
    >>> "evaluate gate" in needed_units(find_protocol(protocol_names()[0]), threads=1)
    True
    """
    names = units_of(_primitives(info))
    if info.script is None:
        return names
    script = info.script(_network(*_CHAIN).program, _options(info, threads))
    return tuple(dict.fromkeys((*names, *(step.unit for _, step in _fixed_steps(script)))))


def measure_costs(info: ProtocolInfo, threads: int, machine: Mapping[str, str], progress: Progress) -> Costs:
    """Measures the costs of this machine, which takes a few seconds.

    Raises:
        PiBenchError: the two parties cannot run on this machine, or a primitive has a unit that none of its
            cases shows.

    ```python
    def measured_costs(info: ProtocolInfo) -> Costs:  # takes a few seconds
        return measure_costs(info, 1, describe_build(info), lambda what, done, total: None)
    ```
    """
    primitives = _primitives(info)
    units_of(primitives)  # refuses a unit that two of them declare, before anything is measured
    known = dict.fromkeys(LINK_UNITS, 0.0) | primitive_costs(primitives, threads, progress)
    for primitive in primitives:
        missing = [unit for unit in primitive.units if unit not in known]
        if missing:
            raise UsageError(
                f"the primitive {primitive.name!r} of protocol {info.name} declares the cost unit "
                f"{missing[0]!r}, and none of its timed cases has this unit; add a case or drop the unit"
            )
    progress("measuring messages", 1, 1)
    return _between_parties(info, Costs(known, threads, machine))


def _primitives(info: ProtocolInfo) -> tuple[Primitive, ...]:
    return (*BUILT_IN, *(own for own in info.primitives if own not in BUILT_IN))


def _options(info: ProtocolInfo, threads: int) -> ProtocolOptions:
    return info.configure(threads=threads, weight_cache_bytes=_WEIGHT_CACHE_BYTES)


def _between_parties(info: ProtocolInfo, primitives: Costs) -> Costs:
    """Adds the costs that only runs of two parties show. `primitives` has the link's units at 0."""
    settings = _options(info, primitives.threads)
    assert info.script is not None
    chain, wide = _network(*_CHAIN), _network(*_WIDE)
    script = info.script(chain.program, settings)
    runs = _runs(chain, info, settings)
    found = _fixed_costs(script, runs, primitives) | _message_costs(runs)
    runs, script = _runs(wide, info, settings), info.script(wide.program, settings)
    found["byte sent"] = _sent_byte_s(runs, found["message"])
    known = replace(primitives, unit_s={**primitives.unit_s, **found})
    known = replace(known, contention={name: _slowdown(name, known, script, runs) for name in CONTENTION})
    found["byte received"] = _received_byte_s(script, known, _typical(run.latency_s for run in runs))
    return replace(known, unit_s={**known.unit_s, **found})


def _runs(model: LoadedModel, info: ProtocolInfo, settings: ProtocolOptions) -> list[Run]:
    inputs = noise_input(model.program.input, 0)
    encoded = encode_input(model.program, inputs)
    verifier = RunVerifier(model.program, model.weights, info.law(settings), encoded)
    options = LatencyOptions(settings, _RUNS, _WARMUP, _TIMEOUT_S)
    place = placement.place(settings.threads)
    return measure_latency(model, info, options, place, inputs, verifier, lambda what, done, total: None).runs


def _fixed_steps(script: RunScript) -> list[tuple[str, FixedStep]]:
    """Lists the fixed steps of both phases, each with the name of its phase."""
    return [(phase.name, step) for phase in (script.offline, script.online) for step in phase.fixed_steps]


def _fixed_costs(script: RunScript, runs: Sequence[Run], primitives: Costs) -> dict[str, float]:
    """Finds the seconds per unit of each fixed step that the script names.

    A unit that this script does not count anywhere stays at 0.
    """
    steps = _fixed_steps(script)
    found = {step.unit: 0.0 for _, step in steps}
    known = replace(primitives, unit_s={**primitives.unit_s, **found})
    for phase, step in steps:
        actions = getattr(script, phase).roles[step.party].actions
        work = CostUnits.sum(action.work for action in actions if (action.step, action.part) in step.spans)
        amount = work.units.get(step.unit, 0.0)
        if amount:
            records = (getattr(run, f"{step.party}_{phase}") for run in runs)
            seconds = _typical(_compute_s(record, step.spans) for record in records)
            found[step.unit] = max(0.0, seconds - known.seconds(work)) / amount
    return found


def _typical(samples: Iterable[float]) -> float:
    """Gives the first quartile, since background load only makes runs longer."""
    return quantiles(samples, n=4, method="inclusive")[0]


def _compute_s(record: PhaseRecord, spans: frozenset[tuple[int, str]]) -> float:
    return sum(span.compute_s for span in record.spans if (span.op_id, span.part) in spans)


def _slowdown(name: str, known: Costs, script: RunScript, runs: Sequence[Run]) -> float:
    """Finds the factor by which one party's computing takes longer beside the other party than alone."""
    party, phase = name.split(" ")
    played = Simulation(known).play(getattr(script, phase))
    alone_s = sum(span.compute_s for span in played.spans[Party(party)].values())
    measured_s = _typical(
        sum(float(span.compute_s) for span in getattr(run, f"{party}_{phase}").spans) for run in runs
    )
    return max(1.0, measured_s / alone_s) if alone_s else 1.0


def _message_costs(runs: Sequence[Run]) -> dict[str, float]:
    """Finds the costs of handing a small message over and of its way, from runs with strict turns."""
    message_s, hop_s = [], []
    for run in runs:
        spans = [*run.client_online.spans, *run.server_online.spans]
        sent_s = sum(span.send_s for span in spans)
        message_s.append(sent_s / sum(span.sent_count for span in spans))
        busy_s = sent_s + sum(span.compute_s for span in spans if span.op_id >= 0)
        hop_s.append((run.latency_s - busy_s) / run.client_online.depth - message_s[-1])
    return {"message": _typical(message_s), "hop": max(0.0, _typical(hop_s))}


def _sent_byte_s(runs: Sequence[Run], message_s: float) -> float:
    spans = [[span for span in run.server_online.spans if span.sent_count] for run in runs]
    return _typical(
        max(0.0, sum(span.send_s - span.sent_count * message_s for span in own))
        / sum(span.sent_wire_bytes for span in own)
        for own in spans
    )


def _received_byte_s(script: RunScript, known: Costs, latency_s: float) -> float:
    """Finds the seconds per received byte that predict the measured time, by bisection."""
    least, most = 0.0, _SLOWEST_BYTE_S
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        costs = replace(known, unit_s={**known.unit_s, "byte received": middle})
        slow = predict_run(script, Setting(costs)).online.time_s > latency_s
        least, most = (least, middle) if slow else (middle, most)
    return least


def _network(shape: tuple[int, int, int], channels: int, layers: int, side: int) -> LoadedModel:
    """Makes a network of `layers` convolutions from `shape` to `channels` channels, each with a ReLU."""
    generator = np.random.default_rng(5)
    nodes: list[Node] = [InputNode("input", (), shape)]
    parameters = {}
    made, pad = (channels, *shape[1:]), (side // 2, side // 2)
    for number in range(layers):
        name, inputs = f"layer{number}", nodes[-1].shape[0]
        weights = generator.normal(0, (2 / inputs) ** 0.5 / side, (channels, inputs, side, side))
        parameters[f"{name}.weight"] = weights.astype(np.float32)
        nodes.append(ConvNode(name, (nodes[-1].name,), made, f"{name}.weight", None, (1, 1), pad))
        nodes.append(ReluNode(f"{name}.relu", (name,), made))
    nodes.append(OutputNode("output", (nodes[-1].name,), made))
    graph = Graph(tuple(nodes), parameters, {}, meta={"name": "costs"})
    graph = replace(graph, ranges=calibrate(graph, generator.normal(size=(64, *shape))))
    program, compiled = compile_graph(graph)
    return LoadedModel(graph, program, compiled, program_digest(program), 0.0)
