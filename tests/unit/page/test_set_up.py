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
        f"pi-bench {environment['versions']['pi-bench']}, commit 0123456789ab (protocol delphi);",
        "to 2031-01-02)",
        environment["cpu_model"],
        "Links: loopback",
        f"delphi, mode {first['mode']}; fss, mode {second['mode']} (static semi-honest adversary, at least ",
        "121 bits computational and 40 bits statistical security).",
        f"Runs per result: {first['runs']} timed runs (protocol delphi); 7 timed runs, the median is known "
        "within 2.0 % (protocol fss), ",
        f"after 2 to {first['warmup']} warm-up runs.",
        "Fixed point in 32-bit integers: activation bits",
    ):
        assert part in text, part


def test_a_value_that_all_runs_share_stands_once() -> None:
    runs = several()
    assert set_up_text(labeled_runs(inputs_of(*runs).results)).count(runs[0]["environment"]["cpu_model"]) == 1


def test_the_set_up_names_networks_weights_and_the_results_with_each_number_of_threads_and_runs() -> None:
    first, second, third = variant(name="a"), variant(name="b", relu_count=5), variant(name="b", relu_count=5)
    second["environment"]["threads"] = 64
    second["runs"] = third["runs"] = 1
    third["network"]["weights"] = second["network"]["weights"] = "given"
    text = set_up_text(labeled_runs(inputs_of(first, second, third).results))
    for part in (
        "; 1 thread per party (a, 1 thread; b, 1 thread); 64 threads per party (b, 64 threads). ",
        "Networks with random weights, which give the times and bytes of trained ones and answers without a "
        "meaning: a (12,288 ReLUs). Networks with given weights: b (5 ReLUs). Links: ",
        f"Runs per result: {first['runs']} timed runs (network a); 1 timed run (network b), after ",
    ):
        assert part in text, (part, text)


def test_the_set_up_says_which_links_carry_a_caution() -> None:
    kept, longer, other = variant(link="lan"), variant(link="lan", factor=1.1), variant(link="wan")
    longer["link"]["measured"] = {**longer["link"]["measured"], "rtt_s": 0.00167}
    text = set_up_text(labeled_runs(inputs_of(kept, longer, other).results))
    assert (
        ". The round trip of the emulated link lan was probed at 1.67 ms, longer than the 1.00 ms asked for, "
        "in 1 of its 2 results. Protocols: " in text
    ), text
