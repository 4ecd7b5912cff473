"""Every protocol that the registry finds, and `toy` of tests/fixtures, run by two threads in one process.

Sockets and processes are tested elsewhere (tests/unit/channel, tests/cli); here a protocol meets its
interface, and every message is kept for the transcript tests.

Tests that take `protocol` run over every protocol: the functional half of the contract. Tests that take
`secure_protocol` run over those that say that they are secure: the security half. Tests that take `options`
too run with every set of options whose mode the protocol has. Those that also take `network` run each mode on
every network and each set of options on one network at least, not on all.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import ActivationLaw
from pi_bench.crypto import base_ot
from pi_bench.errors import ConnectionFailedError
from pi_bench.hybrid.modes import AUTO
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import activation_reference, linear_reference
from pi_bench.network.fusion import fuse_keeping
from pi_bench.network.fusion.plan import Planner
from pi_bench.network.graph import (
    AddNode,
    AvgPoolNode,
    ConvNode,
    FlattenNode,
    Graph,
    InputNode,
    LinearNode,
    OutputNode,
    ReluNode,
)
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.program import Program, Weights
from pi_bench.network.program.codec import program_from_bytes, program_to_bytes
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.protocol import Option, Party, ProtocolInfo, ProtocolOptions
from pi_bench.registry import find_protocol, protocol_names
from pi_bench.testing import MemoryRun, MemorySession, run_in_memory
from tests.contract.term_program import term_program
from tests.packages import toy_on_path
from tests.unit.network.fusion.fusion_graphs import culled_graph

Network = tuple[Program, Weights, list[np.ndarray]]

BINDING = b"loopback session".ljust(32)  # golden transcripts depend on it


def cases_of(info: ProtocolInfo) -> list[ProtocolOptions]:
    """Every mode, two more values of each option that has a default (one in the first mode, one in the
    second, where there is one), and three inferences per offline phase."""
    needed = {option.name: _some(option) for option in info.options if option.default is None}
    bases = {
        mode.name: {
            option.name: needed[option.name]
            for option in info.options
            if option.name in needed and option.applies(mode.name)
        }
        for mode in info.modes
    }
    found = [info.configure(mode, given) for mode, given in bases.items()]
    for option in info.options:
        for mode, value in zip(bases, (_some(option), _values(option)[-1]), strict=False):
            if option.default is not None and option.applies(mode):
                found.append(info.configure(mode, {**bases[mode], option.name: value}))
    return [*found, dataclasses.replace(found[0], ahead=3)]


def _some(option: Option) -> int | str:
    values = _values(option)
    return values[min(2, len(values) - 1)]


def _values(option: Option) -> list[int | str]:
    """All but `auto`, which stands for one of the others."""
    return [value for value in option.values if value != AUTO]


@functools.cache
def _protocols() -> list[ProtocolInfo]:
    """Every protocol, with `toy`. Each search reads the entry points of all installed packages."""
    with toy_on_path():
        return [find_protocol(name) for name in protocol_names()]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs tests of `protocol` or `secure_protocol` on each protocol, and of `options` on its cases."""
    found = _protocols()
    if "network" in metafunc.fixturenames and "options" not in metafunc.fixturenames:
        metafunc.parametrize("network", NETWORKS, indirect=True)
    for fixture in ("protocol", "secure_protocol"):
        if fixture not in metafunc.fixturenames:
            continue
        chosen = [info for info in found if info.secure or fixture == "protocol"]
        if "options" not in metafunc.fixturenames:
            metafunc.parametrize(fixture, chosen, ids=[info.name for info in chosen])
            continue
        cases = [(info, options) for info in chosen for options in cases_of(info)]
        if "network" not in metafunc.fixturenames:
            ids = [f"{info.name}-{_words(options)}" for info, options in cases]
            metafunc.parametrize((fixture, "options"), cases, ids=ids)
            continue
        triples = [(info, *pair) for info in chosen for pair in networks_of(cases_of(info))]
        ids = [f"{info.name}-{_words(options)}-{network}" for info, options, network in triples]
        metafunc.parametrize((fixture, "options", "network"), triples, ids=ids, indirect=["network"])


def networks_of(cases: list[ProtocolOptions]) -> list[tuple[ProtocolOptions, str]]:
    """Each set of options with a network: those of one mode take the networks in turn, and begin again
    until both have all been there. Each mode begins one network later, so that a value of an option, which
    two modes have, meets two networks."""
    found = []
    for place, mode in enumerate(dict.fromkeys(options.mode for options in cases)):
        of_mode = [options for options in cases if options.mode == mode]
        for i in range(max(len(of_mode), len(NETWORKS))):
            found.append((of_mode[i % len(of_mode)], NETWORKS[(i + place) % len(NETWORKS)]))
    return found


def _words(options: ProtocolOptions) -> str:
    values = dict(options.values) | ({"ahead": options.ahead} if options.ahead > 1 else {})
    return "-".join([options.mode, *(f"{name}={value}" for name, value in values.items())])


def run_protocol(
    info: ProtocolInfo,
    program: Program,
    weights: Weights,
    inputs: list[np.ndarray],
    options: ProtocolOptions | str | None,
    change: Callable[[MemorySession], None] | None = None,
) -> list[MemoryRun]:
    """One session: set-up, then preprocess and infer for each encoded input.

    `options`: or a mode, or None for the first mode.
    """
    if not isinstance(options, ProtocolOptions):
        options = info.configure(options)
    return run_in_memory(info, program, weights, inputs, options, binding=BINDING, change=change)


_scalars: dict[tuple[str, int], bytes] = {}
_random_scalar = base_ot._random_scalar
_products = {
    name: functools.cache(getattr(base_ot.sodium, name))
    for name in (
        "crypto_scalarmult_ed25519_noclamp",
        "crypto_scalarmult_ed25519_base_noclamp",
        "crypto_core_ed25519_is_valid_point",
        "crypto_core_ed25519_add",
        "crypto_core_ed25519_sub",
    )
}


@pytest.fixture(scope="module", autouse=True)
def insecure_repeated_scalars() -> Iterator[None]:
    """INSECURE, for tests alone: base OTs of all sessions draw the same scalars, and share their products
    and sums.

    Each session runs its base OTs whole, with choice bits, messages and keys of its own. A scalar times a
    point is the same every time, as the sum of two points is. tests/unit/crypto/test_base_ot.py and tests/cli
    draw fresh scalars.
    """
    drawn = threading.local()

    def random_scalar() -> bytes:
        drawn.count = getattr(drawn, "count", 0) + 1
        party, _, _ = threading.current_thread().name.partition("_")  # each has a thread per session
        return _scalars.setdefault((party, drawn.count), _random_scalar())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(base_ot, "_random_scalar", random_scalar)
        for name, product in _products.items():
            patch.setattr(base_ot.sodium, name, product)
        yield


@pytest.fixture(scope="session")
def run() -> Callable[..., list[MemoryRun]]:
    return run_protocol


Honest = Callable[[ProtocolInfo, Network, ProtocolOptions | str | None], list[MemoryRun]]


@pytest.fixture(scope="session")
def honest() -> Honest:
    """Runs of one session on the first input twice and on an input of zeros.

    Tests that look at an undisturbed run share it, since a set-up costs more than their inferences. They must
    not change it.
    """
    done: dict[tuple[str, int, str], tuple[Network, list[MemoryRun]]] = {}

    def find(info: ProtocolInfo, network: Network, options: ProtocolOptions | str | None) -> list[MemoryRun]:
        if not isinstance(options, ProtocolOptions):
            options = info.configure(options)
        key = (info.name, id(network), _words(options))
        if key not in done:
            program, weights, _ = network
            given = honest_inputs(network)
            done[key] = network, run_protocol(info, program, weights, given, options)
        return done[key][1]

    return find


def honest_inputs(network: Network) -> list[np.ndarray]:
    """The inputs of `honest`: equal ones must not be recognized, and zeros must not show."""
    first = network[2][0]
    return [first, first, np.zeros_like(first)]


def small_graph() -> Graph:
    """A residual network with the compiler's cases: a masked ReLU, a culled one, pooling, a sum."""
    generator = np.random.default_rng(11)

    def weight(*shape: int) -> np.ndarray:
        return generator.normal(0, (2 / np.prod(shape[1:])) ** 0.5, shape).astype(np.float32)

    nodes = (
        InputNode("input", (), (2, 8, 8)),
        ConvNode("stem", ("input",), (4, 8, 8), "stem.weight", "stem.bias", (1, 1), (1, 1)),
        ReluNode("stem.relu", ("stem",), (4, 8, 8), "stem.mask"),
        ConvNode("one", ("stem.relu",), (5, 4, 4), "one.weight", None, (2, 2), (1, 1)),
        ConvNode("two", ("one",), (6, 4, 4), "two.weight", "two.bias", (1, 1), (1, 1)),
        ConvNode("skip", ("stem.relu",), (6, 4, 4), "skip.weight", None, (2, 2), (0, 0)),
        AddNode("sum", ("two", "skip"), (6, 4, 4)),
        ReluNode("relu", ("sum",), (6, 4, 4)),
        ConvNode("three", ("relu",), (6, 4, 4), "three.weight", None, (1, 1), (1, 1)),
        AddNode("sum2", ("three", "relu"), (6, 4, 4)),
        ReluNode("relu2", ("sum2",), (6, 4, 4)),
        AvgPoolNode("pool", ("relu2",), (6, 1, 1), (4, 4), (4, 4), (0, 0)),
        FlattenNode("flatten", ("pool",), (6,)),
        LinearNode("head", ("flatten",), (3,), "head.weight", "head.bias"),
        OutputNode("output", ("head",), (3,)),
    )
    parameters = {
        "stem.weight": weight(4, 2, 3, 3),
        "stem.bias": weight(4, 1).reshape(4) * 0.1,
        "one.weight": weight(5, 4, 3, 3),
        "two.weight": weight(6, 5, 3, 3),
        "two.bias": weight(6, 1).reshape(6) * 0.1,
        "skip.weight": weight(6, 4, 1, 1),
        "three.weight": weight(6, 6, 3, 3),
        "head.weight": weight(3, 6),
        "head.bias": weight(3, 1).reshape(3) * 0.1,
    }
    masks = {"stem.mask": generator.random((4, 8, 8)) < 0.6}
    graph = Graph(nodes, parameters, masks, meta={"name": "small"})
    return dataclasses.replace(graph, ranges=calibrate(graph, generator.normal(size=(64, 2, 8, 8))))


NETWORKS = ("terms", "two", "fused", "one")


@pytest.fixture(scope="session")
def network(request: pytest.FixtureRequest) -> Network:
    """A program, its weights, and three encoded inputs."""
    return named_network(request.param)


@functools.cache
def named_network(name: str) -> Network:
    """One with every term, one for a batch of two, one whose linear layers are fused, borders included, or
    one for a single sample."""
    if name == "fused":
        graph = culled_graph()
        fused = fuse_keeping(graph, (), Planner(graph, CompileOptions().weight_bits))
        program, weights = compile_graph(fused, CompileOptions(batch=2))
    elif name == "terms":
        program, weights = term_program()
        program = program_from_bytes(program_to_bytes(program))  # checked
    else:
        return compiled({"one": 1, "two": 2}[name])
    return program, weights, encoded_inputs(program)


@pytest.fixture(scope="session")
def small_network() -> Network:
    """The network for a single sample."""
    return named_network("one")


@pytest.fixture(scope="session")
def short_network() -> Network:
    """A network whose sessions have each kind of message a few times: for tests that run one per message."""
    return _short_network()


@functools.cache
def _short_network() -> Network:
    generator = np.random.default_rng(3)
    nodes = (
        InputNode("input", (), (2, 4, 4)),
        ConvNode("stem", ("input",), (3, 4, 4), "stem.weight", None, (1, 1), (1, 1)),
        ReluNode("relu", ("stem",), (3, 4, 4), "relu.mask"),
        FlattenNode("flatten", ("relu",), (48,)),
        LinearNode("head", ("flatten",), (3,), "head.weight", "head.bias"),
        OutputNode("output", ("head",), (3,)),
    )
    shapes = {"stem.weight": (3, 2, 3, 3), "head.weight": (3, 48), "head.bias": (3,)}
    parameters = {name: generator.normal(0, 0.3, shape).astype(np.float32) for name, shape in shapes.items()}
    graph = Graph(nodes, parameters, {"relu.mask": generator.random((3, 4, 4)) < 0.6}, meta={"name": "short"})
    graph = dataclasses.replace(graph, ranges=calibrate(graph, generator.normal(size=(64, 2, 4, 4))))
    program, weights = compile_graph(graph)
    return program, weights, encoded_inputs(program)


@functools.cache
def compiled(batch: int) -> Network:
    program, weights = compile_graph(small_graph(), CompileOptions(batch=batch))
    return program, weights, encoded_inputs(program)


def encoded_inputs(program: Program) -> list[np.ndarray]:
    generator = np.random.default_rng(5)
    return [encode_input(program, generator.normal(size=program.input.shape).clip(-2, 2)) for _ in range(3)]


def sending_other(
    victim: Party, place: int, other: Callable[[tuple[Any, ...]], tuple[Any, ...]]
) -> Callable[[MemorySession], None]:
    """The `change` of a run in which `other` makes the buffers of the victim's message number `place`."""

    def change(session: MemorySession) -> None:
        if session.party is victim:
            send, numbers = session.send, itertools.count()
            session.send = lambda *buffers: send(*(other(buffers) if next(numbers) == place else buffers))

    return change


def leave(buffers: tuple[Any, ...]) -> tuple[Any, ...]:
    """Ends the victim before it sends."""
    raise ConnectionFailedError("cut")


def sent_count(whole: MemoryRun, victim: Party) -> int:
    """The messages of the victim in a session of one inference."""
    return sum(message.sender is victim for message in (*whole.set_up, *whole.transcript))


def check_law(
    program: Program, weights: Weights, run: MemoryRun, law: ActivationLaw, encoded: np.ndarray
) -> None:
    """Asserts that shares add up to linear values that are exact and to activations that follow the law."""
    values = {program.input.id: run.value(f"a:{program.input.id}")}
    np.testing.assert_array_equal(values[program.input.id], encoded)
    for op in program.source_ops[1:]:
        values[op.id] = run.value(f"a:{op.id}")
    for op in program.linear_ops:
        values[op.id] = run.value(f"x:{op.id}")
        np.testing.assert_array_equal(values[op.id], linear_reference(op, values, weights), op.name)
    for op in program.multiply_ops:
        np.testing.assert_array_equal(values[op.id], values[op.left] * values[op.right], op.name)
    client = run.traces[Party.CLIENT].arrays
    for op in program.activation_ops:
        x, v = run.value(f"x:{op.source}"), client[f"x:{op.source}"]
        expected = activation_reference(op, x, v, law)
        np.testing.assert_array_equal(values[op.id], expected, op.name)
    np.testing.assert_array_equal(run.output, run.value(f"x:{program.output.source}"))
