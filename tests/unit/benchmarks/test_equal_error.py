"""This project's row at another system's error: enough bits and no more, or the reason why not."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import compare, equal_error
from benchmarks.peers.systems import PI_BENCH, Run, System, Workload, _span
from pi_bench.fidelity import with_chosen_bits
from pi_bench.fidelity.logits import integer_logits
from pi_bench.network.compiler import CompileOptions
from pi_bench.network.files.model_file import load_model, save_model
from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import outputs


def peer(expected: np.ndarray, error: float) -> System:
    """A system whose every answer is `error` off."""

    def run(workload: Workload, peers: Path, repetitions: int) -> Run:
        return Run(0.5, [], [0.4], 30, 0, (expected + error).ravel().tolist())

    return System("other", None, "", run)


@pytest.fixture
def prepared(
    tiny_graph: Graph, tiny_input: np.ndarray, tmp_path: Path
) -> tuple[Workload, np.ndarray, np.ndarray]:
    save_model(tiny_graph, tmp_path / "0.pt")
    inputs = tiny_input[None]
    np.save(tmp_path / "0.npy", inputs)
    return Workload("w", tmp_path / "0.pt", tmp_path / "0.npz"), inputs, outputs(tiny_graph, inputs)


def test_our_row_has_at_most_the_error_of_the_other(
    prepared: tuple[Workload, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    workload, inputs, expected = prepared
    other = peer(expected, 0.002)
    equal = equal_error.at_the_error_of(other, workload, inputs, expected, tmp_path)
    graph = load_model(tmp_path / "0-equal.pt")
    chosen = with_chosen_bits(graph, CompileOptions())
    bits = [chosen.activation_bits_of(name) for name in ("input", "stem.relu", "sum.relu")]
    assert max(bits) > 10
    errors = np.abs(integer_logits(graph, chosen, inputs) - expected).max()
    assert errors <= 0.002 * 0.8

    rows = compare.measure(workload, expected, (PI_BENCH, equal, other), tmp_path, rounds=1, repetitions=1)
    default, ours, theirs = rows
    assert ours["largest_error"] <= theirs["largest_error"] < default["largest_error"]
    assert default["bits"] == "10/10"
    assert ours["bits"] == f"{_span(bits)}/{chosen.weight_bits}"
    assert theirs["equal_ratio"] == pytest.approx(theirs["online_s"] / ours["online_s"])
    assert json.dumps(rows)


def test_where_32_bits_do_not_hold_it_the_row_says_so(
    prepared: tuple[Workload, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    workload, inputs, expected = prepared
    equal = equal_error.at_the_error_of(peer(expected, 1e-9), workload, inputs, expected, tmp_path)
    assert equal.name == equal_error.MIN
    graph = load_model(tmp_path / "0-equal.pt")
    errors = [
        np.abs(integer_logits(graph, options, inputs) - expected).max()
        for options in (with_chosen_bits(graph, CompileOptions()), CompileOptions())
    ]
    assert 1e-9 < errors[0] < errors[1] / 4
    before = (tmp_path / "0-equal.pt").read_bytes()
    again = equal_error.at_the_error_of(peer(expected, 1.0), workload, inputs, expected, tmp_path)
    assert again.name == equal_error.MIN and (tmp_path / "0-equal.pt").read_bytes() == before


def test_a_system_that_does_not_run_has_no_error_to_equal(
    prepared: tuple[Workload, np.ndarray, np.ndarray], tmp_path: Path
) -> None:
    def broken(workload: Workload, peers: Path, repetitions: int) -> Run:
        raise RuntimeError("it does not import")

    workload, inputs, expected = prepared
    equal = equal_error.at_the_error_of(System("b", None, "", broken), workload, inputs, expected, tmp_path)
    with pytest.raises(RuntimeError, match="its bits are not known: it does not import"):
        equal.run(workload, tmp_path, 1)
