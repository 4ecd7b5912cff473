"""Compares constants that are defined twice, because importing one would load numpy for `pi-bench --help`."""

from pi_bench.launch import placement
from pi_bench.prediction import simulation


def test_the_simulation_polls_as_parties_do() -> None:
    assert simulation.POLL_S == placement._POLL_S
