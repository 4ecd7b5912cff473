"""Every protocol that the registry finds, and `toy` of tests/fixtures, run by two threads in one process.

Sockets and processes are tested elsewhere (tests/unit/channel, tests/cli); here a protocol meets its
interface, and every message is kept for the transcript tests.
"""

from __future__ import annotations

import contextlib
import dataclasses
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pytest

from pi_bench.errors import ConnectionFailedError, PeerError
from pi_bench.network.compiler import CompileOptions, compile_graph
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
from pi_bench.network.merging import merge_keeping
from pi_bench.network.merging.plan import Planner
from pi_bench.network.program import Program, Weights
from pi_bench.network.program.codec import program_from_bytes, program_to_bytes
from pi_bench.network.program.fixed_point import encode_input
from pi_bench.protocol import Option, Party, ProtocolInfo, ProtocolOptions, ShareTrace
from pi_bench.registry import default_protocol, find_protocol, protocol_names
from tests.contract.term_program import term_program
from tests.packages import toy_on_path
from tests.unit.network.merging.merging_graphs import culled_graph

RECEIVE_TIMEOUT_S = 60.0

Network = tuple[Program, Weights, list[np.ndarray]]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a transcript."""

    phase: str
    sender: Party
    op_id: int
    part: str
    payload: bytes


class LoopbackSession:
    """One party's end of an in-memory session."""

    def __init__(
        self, party: Party, inbox: queue.Queue, outbox: queue.Queue, transcript: list[Message]
    ) -> None:
        self.party = party
        self.trace: ShareTrace | None = ShareTrace()
        self.binding = b"loopback session".ljust(32)
        self.phase = "set-up"
        self._inbox, self._outbox, self._transcript = inbox, outbox, transcript
        self._step = (-1, "")

    @contextlib.contextmanager
    def step(self, op_id: int, part: str = "") -> Iterator[None]:
        before, self._step = self._step, (op_id, part)
        try:
            yield
        finally:
            self._step = before

    def send(self, *buffers: object) -> None:
        payload = b"".join(memoryview(buffer).cast("B") for buffer in buffers)  # type: ignore[call-overload]
        self._transcript.append(Message(self.phase, self.party, *self._step, payload))
        self._outbox.put((self._step[0], payload))

    def receive(self, byte_count: int) -> bytearray:
        try:
            step, payload = self._inbox.get(timeout=RECEIVE_TIMEOUT_S)
        except queue.Empty:
            raise ConnectionFailedError("the other party sent nothing") from None
        if payload is None:
            raise ConnectionFailedError("the other party closed the connection")
        if (step, len(payload)) != (self._step[0], byte_count):
            raise PeerError(f"step {step}, {len(payload)} bytes where {self._step[0]}, {byte_count} were due")
        return bytearray(payload)

    def receive_into(self, buffer: object, *, meanwhile: Iterator[None] | None = None) -> None:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        next(meanwhile or iter(()), None)
        view[:] = self.receive(view.nbytes)

    def flush(self) -> None:
        """Messages are copied by `send`."""

    def hang_up(self) -> None:
        self._outbox.put((0, None))


@dataclass
class Run:
    """What one inference left behind, of both parties."""

    output: np.ndarray
    traces: dict[Party, ShareTrace]
    transcript: list[Message] = field(default_factory=list)

    def value(self, name: str) -> np.ndarray:
        """The sum of both shares, mod 2^32."""
        return self.traces[Party.CLIENT].arrays[name] + self.traces[Party.SERVER].arrays[name]


def run_protocol(
    info: ProtocolInfo,
    program: Program,
    weights: Weights,
    inputs: list[np.ndarray],
    options: ProtocolOptions | str | None,
    tamper: Callable[[LoopbackSession], None] | None = None,
) -> list[Run]:
    """One session: set-up, then preprocess and infer for each encoded input. `options`: or a mode, or
    None for the first one."""
    to_server: queue.Queue = queue.Queue()
    to_client: queue.Queue = queue.Queue()
    transcript: list[Message] = []
    sessions = {
        Party.CLIENT: LoopbackSession(Party.CLIENT, to_client, to_server, transcript),
        Party.SERVER: LoopbackSession(Party.SERVER, to_server, to_client, transcript),
    }
    if not isinstance(options, ProtocolOptions):
        options = info.configure(options)
    outcomes: dict[Party, list] = {party: [] for party in sessions}
    failures: list[BaseException] = []

    def play(party: Party) -> None:
        session = sessions[party]
        make = info.client if party is Party.CLIENT else info.server
        side = make(session, program, options, weights if party is Party.SERVER else None)
        try:
            if tamper is not None:
                tamper(session)
            side.set_up()
            for number, encoded in enumerate(inputs):
                session.trace = ShareTrace()
                session.phase = f"offline {number}"
                material = side.preprocess(number)
                session.phase = f"online {number}"
                output = side.infer(material, encoded if party is Party.CLIENT else None)
                outcomes[party].append((output, session.trace, material))
        except BaseException as error:
            failures.append(error)
            session.hang_up()
        finally:
            side.close()

    threads = [threading.Thread(target=play, args=(party,), name=party.value) for party in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    if failures:
        raise failures[0]
    runs = []
    for number, (client, server) in enumerate(
        zip(outcomes[Party.CLIENT], outcomes[Party.SERVER], strict=True)
    ):
        assert client[2].spent and server[2].spent
        messages = [m for m in transcript if m.phase.endswith(f" {number}")]
        traces = {Party.CLIENT: client[1], Party.SERVER: server[1]}
        runs.append(Run(client[0], traces, messages))
    return runs


@pytest.fixture(scope="session")
def run() -> Callable[..., list[Run]]:
    return run_protocol


def cases_of(info: ProtocolInfo) -> list[ProtocolOptions]:
    """Every mode, and two more values of each option that has a default: one in the first mode, one in the
    second, where there is one."""
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
        for mode, value in zip(bases, (_some(option), option.values[-1]), strict=False):
            if option.default is not None and option.applies(mode):
                found.append(info.configure(mode, {**bases[mode], option.name: value}))
    return found


def _some(option: Option) -> int | str:
    return option.values[min(2, len(option.values) - 1)]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`protocol`: each that there is; with `options` too, each with options that it declares. `options`
    alone: those of the default protocol."""
    names = set(metafunc.fixturenames)
    with toy_on_path():
        infos = [find_protocol(name) for name in protocol_names()]
    if {"protocol", "options"} <= names:
        pairs = [(info, options) for info in infos for options in cases_of(info)]
        ids = [f"{info.name}-{_words(options)}" for info, options in pairs]
        metafunc.parametrize(("protocol", "options"), pairs, ids=ids)
    elif "protocol" in names:
        metafunc.parametrize("protocol", infos, ids=[info.name for info in infos])
    elif "options" in names:
        metafunc.parametrize("options", cases_of(default_protocol()), ids=_words)


def _words(options: ProtocolOptions) -> str:
    return "-".join([options.mode, *(f"{name}={value}" for name, value in options.values.items())])


@pytest.fixture(params=["windowed", "exact"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def small_graph() -> Graph:
    """A residual network with what the compiler knows: a masked ReLU, a culled one, pooling, a sum."""
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


@pytest.fixture(scope="session", params=[1, 2, "terms", "merged"])
def network(request: pytest.FixtureRequest) -> Network:
    """A program, its weights, and three encoded inputs: compiled for a batch, one with every term, or one
    whose linear layers are merged, borders included."""
    if request.param == "merged":
        graph = culled_graph()
        merged = merge_keeping(graph, (), Planner(graph, CompileOptions().weight_bits))
        program, weights = compile_graph(merged, CompileOptions(batch=2))
        return program, weights, encoded_inputs(program)
    if request.param != "terms":
        return compiled(request.param)
    program, weights = term_program()
    program = program_from_bytes(program_to_bytes(program))  # checked
    return program, weights, encoded_inputs(program)


@pytest.fixture(scope="session")
def small_network() -> Network:
    """The same for one sample."""
    return compiled(1)


def compiled(batch: int) -> Network:
    program, weights = compile_graph(small_graph(), CompileOptions(batch=batch))
    return program, weights, encoded_inputs(program)


def encoded_inputs(program: Program) -> list[np.ndarray]:
    generator = np.random.default_rng(5)
    return [encode_input(program, generator.normal(size=program.input.shape).clip(-2, 2)) for _ in range(3)]
