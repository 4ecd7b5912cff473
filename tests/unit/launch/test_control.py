import socket
from collections.abc import Iterator

import numpy as np
import pytest

from pi_bench.errors import InputError, PeerError
from pi_bench.launch.control import ControlClosedError, ControlPipe, ControlStalledError, error_fields
from pi_bench.launch.placement import Placement, place
from pi_bench.thread_environment import thread_environment

Pipes = tuple[ControlPipe, ControlPipe]


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    left, right = socket.socketpair()
    pair = ControlPipe(left), ControlPipe(right)
    yield pair
    for pipe in pair:
        pipe.close()


def test_metadata_and_arrays_travel(pipes: Pipes) -> None:
    pipes[0].send("run", {"runs": 3, "name": "ä"}, {"x": np.arange(6, dtype=np.uint32).reshape(2, 3)})
    kind, meta, arrays = pipes[1].receive()
    assert (kind, meta) == ("run", {"runs": 3, "name": "ä"})
    np.testing.assert_array_equal(arrays["x"], [[0, 1, 2], [3, 4, 5]])


def test_half_a_message_is_not_waited_for_without_end() -> None:
    left, right = socket.socketpair()
    with left, right:
        left.sendall((100).to_bytes(8, "little") + bytes(50))
        pipe = ControlPipe(right)
        pipe.set_stall(0.05)
        with pytest.raises(ControlStalledError):
            pipe.receive()


@pytest.mark.parametrize("error", [InputError("too large"), PeerError("another version")])
def test_errors_keep_their_kind(pipes: Pipes, error: Exception) -> None:
    pipes[0].send("error", error_fields(error))
    with pytest.raises(type(error), match=str(error)):
        pipes[1].receive()


@pytest.mark.parametrize("name", ["ZeroDivisionError", "annotations", "EXIT_INTERRUPTED"])
def test_other_names_are_unexpected_errors(pipes: Pipes, name: str) -> None:
    pipes[0].send("error", {"error": name, "message": "oops"})
    with pytest.raises(RuntimeError, match=f"{name}: oops"):
        pipes[1].receive()


def test_closed_pipe(pipes: Pipes) -> None:
    pipes[0].close()
    with pytest.raises(ControlClosedError):
        pipes[1].receive()
    with pytest.raises(ControlClosedError):
        pipes[1].send("run", {})


def test_half_a_message(pipes: Pipes) -> None:
    pipes[0]._connection.sendall((100).to_bytes(8, "little") + bytes(50))
    pipes[0].close()
    with pytest.raises(ControlClosedError):
        pipes[1].receive()


@pytest.mark.parametrize(
    ("cores", "threads", "expected"),
    [
        ({0}, None, Placement(1, (), ())),
        ({0, 1}, None, Placement(1, (0,), (1,))),
        ({0, 1}, 2, Placement(2, (), ())),
        ({2, 3, 6, 7}, None, Placement(2, (2, 3), (6, 7))),
        ({0, 1, 2, 3}, 1, Placement(1, (0, 1), (2, 3))),
    ],
)
def test_parties_are_pinned_apart_where_cores_allow(
    monkeypatch: pytest.MonkeyPatch, cores: set[int], threads: int | None, expected: Placement
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: cores)
    assert place(threads) == expected
    assert expected.pinned == bool(expected.client_cores)


def test_thread_variables() -> None:
    assert thread_environment(3)["OPENBLAS_NUM_THREADS"] == "3"
