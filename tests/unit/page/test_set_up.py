"""The set-up in words has what a paper must state, and every value in which the runs differ."""

from __future__ import annotations

from pi_bench.page.runs import labeled_runs
from pi_bench.page.set_up import set_up_text
from tests.unit.page.stored_runs import inputs_of, several, variant


def test_the_set_up_names_machine_versions_links_protocols_and_runs() -> None:
    first, second = variant(), variant(protocol="fss")
    first["environment"].update(commit="0123456789abcdef", time="2031-01-02T03:04:05+00:00")
    second.update(runs=7, warmup=2, precision=0.02)
    second["security"] = {
        "adversary": "static semi-honest",
        "computational_bits": 121,
        "statistical_bits": 40,
        "estimates": [{"assumption": "hash", "bits": 121, "basis": "32 candidates per call"}],
        "parameters": {},
    }
    text = set_up_text(labeled_runs(inputs_of(first, second).results))
    environment = first["environment"]
    for part in (
        f"pi-bench {environment['versions']['pi-bench']}, commit 0123456789ab;",
        "to 2031-01-02)",
        environment["cpu_model"],
        "Links: loopback",
        f"delphi, mode {first['mode']}; fss, mode {second['mode']} (static semi-honest adversary, at least ",
        "121 bits computational and 40 bits statistical security).",
        f"Runs per result: {first['runs']} timed runs; 7 timed runs, the median is known within 2.0 %, ",
        f"after 2 to {first['warmup']} warm-up runs.",
        "Fixed point in 32-bit integers: activation bits",
    ):
        assert part in text, part


def test_a_value_that_all_runs_share_stands_once() -> None:
    runs = several()
    assert set_up_text(labeled_runs(inputs_of(*runs).results)).count(runs[0]["environment"]["cpu_model"]) == 1
