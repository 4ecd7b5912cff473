"""The costs of this machine: measured in a few seconds, then kept in the user's cache.

Primitives are timed in this process (`pi_bench.measure.costs`). What a message, a slice, a linear operator
and an offline exchange cost whatever their size shows only between two parties: a chain of tiny layers runs
between two real processes, and what its works do not explain is theirs.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import quantiles

import numpy as np

import pi_bench
from pi_bench.costs import CONTENTION, UNITS, Costs, CostUnits
from pi_bench.errors import InputError
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
from pi_bench.network.program import Program
from pi_bench.network.program.codec import program_digest
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.prediction.costs_file import cached_path, read_costs, write_costs
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.prediction.simulation import Simulation
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.protocol.script import RunScript
from pi_bench.session import PhaseRecord

_CHAIN = (8, 2, 2), 8, 12, 1  # shape, channels, layers, kernel: computing costs next to nothing
_WIDE = (64, 16, 16), 64, 3, 3  # as a middle layer of a ResNet: messages of many slices
_RUNS, _WARMUP = 7, 2
_SLOWEST_BYTE_S, _HALVINGS = 4e-9, 30
_TIMEOUT_S = 60.0
_WEIGHT_CACHE_BYTES = 1 << 30

Progress = Callable[[str, int, int], None]


def machine_costs(info: ProtocolInfo, threads: int, progress: Progress, *, again: bool = False) -> Costs:
    """From the user's cache where they were measured before with this build; `again`: measured anyway.

    Raises: PiBenchError: the two parties cannot run here.
    """
    machine = describe_build(info)
    path = cached_path(machine, threads)
    if path is not None and not again:
        with contextlib.suppress(InputError):  # not there, or damaged: measured again
            return read_costs(path)
    costs = measure_costs(info, threads, machine, progress)
    if path is not None:
        with contextlib.suppress(OSError):  # without a cache they are measured every time
            write_costs(costs, path)
    return costs


def describe_build(info: ProtocolInfo) -> dict[str, str]:
    """What costs depend on: processor, instruction set, protocol, versions and the native code itself."""
    spec = importlib.util.find_spec("pi_bench._native")
    native = Path(spec.origin).read_bytes() if spec is not None and spec.origin is not None else b""
    return {
        **describe_machine(),
        "pi-bench": pi_bench.__version__,
        "native": hashlib.sha256(native).hexdigest()[:16],
        "protocol": info.name,
    }


def measure_costs(info: ProtocolInfo, threads: int, machine: dict[str, str], progress: Progress) -> Costs:
    unit_s = dict.fromkeys(UNITS, 0.0) | primitive_costs(threads, progress)
    progress("measuring messages", 1, 1)
    return _between_parties(info, Costs(unit_s, threads, machine))


def _between_parties(info: ProtocolInfo, primitives: Costs) -> Costs:
    """With what only runs of two parties show. `primitives` has these units at 0."""
    settings = info.configure(threads=primitives.threads, weight_cache_bytes=_WEIGHT_CACHE_BYTES)
    assert info.script is not None
    chain, wide = _network(*_CHAIN), _network(*_WIDE)
    script = info.script(chain.program, settings)
    runs = _runs(chain, info, settings)
    found = _fixed_costs(chain.program, script, runs, primitives) | _message_costs(runs)
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


def _fixed_costs(
    program: Program, script: RunScript, runs: Sequence[Run], primitives: Costs
) -> dict[str, float]:
    """Seconds that a step takes beyond its computing, for each fixed unit that the script uses.

    A protocol's own script may use none of them: what it does not use stays at 0.
    """
    linear = {op.id for op in program.linear_ops}
    activations = {op.id for op in program.activation_ops}
    tables = {(step, part) for step in linear | activations for part in ("ot", "garbling")}
    ends = {(program.input.id, ""), (program.output.id, "")}
    found = {}
    for unit, phase, party, keys in (
        ("client end", "online", Party.CLIENT, ends),
        ("server end", "online", Party.SERVER, ends),
        ("client slice", "online", Party.CLIENT, {(step, "") for step in activations}),
        ("server slice", "online", Party.SERVER, {(step, "") for step in activations}),
        ("linear operator", "online", Party.SERVER, {(step, "") for step in linear}),
        ("client exchange", "offline", Party.CLIENT, tables),
        ("server exchange", "offline", Party.SERVER, tables),
    ):
        actions = getattr(script, phase).roles[party].actions
        work = CostUnits.sum(action.work for action in actions if (action.step, action.part) in keys)
        if not work.units.get(unit):
            continue
        seconds = _typical(_compute_s(getattr(run, f"{party}_{phase}"), keys) for run in runs)
        found[unit] = max(0.0, seconds - primitives.seconds(work)) / work.units[unit]
    return found


def _typical(samples: Iterable[float]) -> float:
    """The first quartile: what else the machine does now and then only makes runs longer."""
    return quantiles(samples, n=4, method="inclusive")[0]


def _compute_s(record: PhaseRecord, keys: set[tuple[int, str]]) -> float:
    return sum(span.compute_s for span in record.spans if (span.op_id, span.part) in keys)


def _slowdown(name: str, known: Costs, script: RunScript, runs: Sequence[Run]) -> float:
    """How many times as long one party's computing takes in a phase beside the other party as alone."""
    party, phase = name.split(" ")
    played = Simulation(known).play(getattr(script, phase))
    alone_s = sum(span.compute_s for span in played.spans[Party(party)].values())
    measured_s = _typical(
        sum(float(span.compute_s) for span in getattr(run, f"{party}_{phase}").spans) for run in runs
    )
    return max(1.0, measured_s / alone_s) if alone_s else 1.0


def _message_costs(runs: Sequence[Run]) -> dict[str, float]:
    """Of handing a small message over, and of its way: from runs in which the parties take turns."""
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
    """With which a prediction of large messages is what was measured: halving the interval."""
    least, most = 0.0, _SLOWEST_BYTE_S
    for _ in range(_HALVINGS):
        middle = (least + most) / 2
        costs = replace(known, unit_s={**known.unit_s, "byte received": middle})
        slow = predict_run(script, Setting(costs)).online.time_s > latency_s
        least, most = (least, middle) if slow else (middle, most)
    return least


def _network(shape: tuple[int, int, int], channels: int, layers: int, side: int) -> LoadedModel:
    """Convolutions from `shape` to so many channels, with a ReLU each."""
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
