"""Measures the costs that show only between two parties.

Two small networks run between two real processes. The time that the units of primitives do not explain there
is attributed to messages and to the fixed steps that the protocol's script names (`FixedStep`), whose costs
do not depend on their size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import quantiles

import numpy as np

from pi_bench.costs import CONTENTION, Costs, CostUnits
from pi_bench.launch import placement
from pi_bench.launch.inputs import noise_input
from pi_bench.launch.latency import measure_latency
from pi_bench.launch.measurement import LatencyOptions, Run
from pi_bench.launch.model import LoadedModel
from pi_bench.launch.stopping import Stopping
from pi_bench.launch.verification import RunVerifier
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph import ConvNode, Graph, InputNode, Node, OutputNode, ReluNode
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.program.codec import program_digest
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.prediction.simulation import Simulation
from pi_bench.progress import silent
from pi_bench.protocol import Party, ProtocolInfo, ProtocolOptions
from pi_bench.protocol.script import FixedStep, RunScript
from pi_bench.session import PhaseRecord

_CHAIN = (8, 2, 2), 8, 12, 1  # shape, channels, layers, kernel: computing costs next to nothing
_WIDE = (64, 16, 16), 64, 3, 3  # as a middle layer of a ResNet: messages of many slices
_RUNS, _WARMUP = 7, 2
_SLOWEST_BYTE_S, _HALVINGS = 4e-9, 30
_TIMEOUT_S = 60.0
_WEIGHT_CACHE_BYTES = 1 << 30


def _options(info: ProtocolInfo, threads: int) -> ProtocolOptions:
    return info.configure(threads=threads, weight_cache_bytes=_WEIGHT_CACHE_BYTES)


def chain_script(info: ProtocolInfo, threads: int) -> RunScript:
    """Returns the protocol's script of a chain of tiny layers. Every kind of fixed step should show in it.

    >>> from pi_bench.registry import find_protocol, protocol_names
    >>> infos = [find_protocol(name) for name in protocol_names()]
    >>> {chain_script(info, threads=1).online.name for info in infos if info.script is not None}
    {'online'}
    """
    assert info.script is not None
    return info.script(_network(*_CHAIN).program, _options(info, threads))


def add_two_party_costs(info: ProtocolInfo, primitives: Costs) -> Costs:
    """Adds the costs that only runs of two parties show. `primitives` has the units of the link at 0.

    Raises:
        PiBenchError: the two parties cannot run on this machine.

    ```python
    from pi_bench.costs import LINK_UNITS, Costs
    from pi_bench.launch.two_party_costs import add_two_party_costs
    from pi_bench.protocol import ProtocolInfo

    def message_costs(info: ProtocolInfo) -> Costs:  # takes ten seconds
        return add_two_party_costs(info, Costs(dict.fromkeys(LINK_UNITS, 0.0), 1, {}))
    ```
    """
    options = _options(info, primitives.threads)
    assert info.script is not None
    chain, wide = _network(*_CHAIN), _network(*_WIDE)
    script = info.script(chain.program, options)
    runs = _runs(chain, info, options)
    found = _fixed_costs(script, runs, primitives) | _message_costs(runs)
    runs, script = _runs(wide, info, options), info.script(wide.program, options)
    found["byte sent"] = _sent_byte_s(runs, found["message"])
    known = replace(primitives, unit_s={**primitives.unit_s, **found})
    known = replace(known, contention={name: _slowdown(name, known, script, runs) for name in CONTENTION})
    found["byte received"] = _received_byte_s(script, known, _typical(run.latency_s for run in runs))
    return replace(known, unit_s={**known.unit_s, **found})


def _runs(model: LoadedModel, info: ProtocolInfo, options: ProtocolOptions) -> list[Run]:
    inputs = noise_input(model.program.input, 0)
    encoded = encode_input(model.program, inputs)
    verifier = RunVerifier(model.program, model.weights, info.law(options), encoded)
    once = LatencyOptions(options, Stopping(_RUNS, _WARMUP), _TIMEOUT_S)
    place = placement.place(options.threads)
    return measure_latency(model, info, once, place, inputs, verifier, silent).runs


def fixed_steps(script: RunScript) -> list[tuple[str, FixedStep]]:
    """Lists the fixed steps of both phases, each with the name of its phase.

    >>> from pi_bench.protocol.script import PhaseScript
    >>> step = FixedStep("greeting", Party.CLIENT, frozenset({(0, "")}))
    >>> script = RunScript(PhaseScript("offline"), PhaseScript("online", fixed_steps=(step,)))
    >>> [(phase, step.unit) for phase, step in fixed_steps(script)]
    [('online', 'greeting')]
    """
    return [(phase.name, step) for phase in (script.offline, script.online) for step in phase.fixed_steps]


def _fixed_costs(script: RunScript, runs: Sequence[Run], primitives: Costs) -> dict[str, float]:
    """Finds the seconds per unit of each fixed step that the script names.

    A unit that this script does not count anywhere stays at 0.
    """
    steps = fixed_steps(script)
    found = {step.unit: 0.0 for _, step in steps}
    known = replace(primitives, unit_s={**primitives.unit_s, **found})
    for phase, step in steps:
        actions = getattr(script, phase).roles[step.party].actions
        work = CostUnits.sum(action.work for action in actions if (action.step, action.part) in step.spans)
        amount = work.units.get(step.unit, 0.0)
        if amount:
            records = (run.record(step.party, phase) for run in runs)
            seconds = _typical(_compute_s(record, step.spans) for record in records)
            found[step.unit] = max(0.0, seconds - known.seconds(work)) / amount
    return found


def _typical(samples: Iterable[float]) -> float:
    """Returns the first quartile, since background load only makes runs longer."""
    return quantiles(samples, n=4, method="inclusive")[0]


def _compute_s(record: PhaseRecord, spans: frozenset[tuple[int, str]]) -> float:
    return sum(span.compute_s for span in record.spans if (span.op_id, span.part) in spans)


def _slowdown(name: str, known: Costs, script: RunScript, runs: Sequence[Run]) -> float:
    """Finds the factor by which one party's computing takes longer while the other one computes."""
    party, phase = name.split(" ")
    simulated = Simulation(known).run(getattr(script, phase))
    alone_s = sum(span.compute_s for span in simulated.spans[Party(party)].values())
    measured_s = _typical(
        sum(float(span.compute_s) for span in run.record(party, phase).spans) for run in runs
    )
    return max(1.0, measured_s / alone_s) if alone_s else 1.0


def _message_costs(runs: Sequence[Run]) -> dict[str, float]:
    """Finds the costs of handing a small message over and of its way, from runs with strict turns.

    A party that another program displaces loses milliseconds, and a run with strict turns waits for all of
    them. On a busy machine most runs lose some, and the first quartile would count these for each message.
    The least values come from runs that have lost none.
    """
    message_s, steps_s = [], []
    for run in runs:
        client, server = (run.record(party, "online") for party in ("client", "server"))
        spans = [*client.spans, *server.spans]
        sent_s = sum(span.send_s for span in spans)
        message_s.append(sent_s / sum(span.sent_count for span in spans))
        busy_s = sent_s + sum(span.compute_s for span in spans if span.op_id >= 0)
        steps_s.append((run.latency_s, (run.latency_s - busy_s) / client.depth - message_s[-1]))
    _, hop_s = min(steps_s)
    return {"message": min(message_s), "hop": max(0.0, hop_s)}


def _sent_byte_s(runs: Sequence[Run], message_s: float) -> float:
    spans = [[span for span in run.record("server", "online").spans if span.sent_count] for run in runs]
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
