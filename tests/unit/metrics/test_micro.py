import functools
import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from pi_bench.crypto.he import LinearShape
from pi_bench.metrics import measured_limits as limits_module
from pi_bench.metrics.environment import describe_environment
from pi_bench.metrics.measured_limits import MachineLimits
from pi_bench.metrics.micro import run_micro
from pi_bench.metrics.timing import sample
from pi_bench.primitives import CaseSettings, MinimalWork, he
from pi_bench.primitives.built_in import BUILT_IN
from pi_bench.primitives.loopback import Echo, FrameEcho
from pi_bench.primitives.primitive import families_of
from pi_bench.report.documents import as_json, schema_of
from pi_bench.report.micro import build_micro, render_micro

TINY = CaseSettings(count=70, threads=(1, 2), repetitions=2)
FAMILIES = families_of(BUILT_IN)
# Homomorphic encryption takes half of this file's time.
MARKS = {"he": pytest.mark.exhaustive, "channel": pytest.mark.slow, "memory": pytest.mark.slow}


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Rates of tiny buffers, wrong as rates, and layers of few products.

    Their plans join answers, copy inputs as well, or do neither.
    """
    layers = {
        "conv3x3 64, 4x4": LinearShape("w", (1, 64, 4, 4), (1, 64, 4, 4), (3, 3), (1, 1), (1, 1, 1, 1)),
        "conv3x3 8, 32x32": LinearShape("w", (1, 8, 32, 32), (1, 8, 32, 32), (3, 3), (1, 1), (1, 1, 1, 1)),
    }
    rates = {
        **{"_REPETITIONS": 1, "_AES_CALLS": 1, "_STREAM_BYTES": 1 << 16, "_MATRIX_SIZE": 16},
        **{"_RING_CALLS": 1, "_SOCKET_BYTES": 1 << 16, "_ROUND_TRIPS": 2},
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(he, "_LAYERS", layers)
        for name, value in rates.items():
            patch.setattr(limits_module, name, value)
        yield


@functools.cache
def result_of(name: str) -> dict[str, Any]:
    return run_micro({name: FAMILIES[name]}, TINY)


@pytest.mark.parametrize("name", [pytest.param(name, marks=MARKS.get(name, ())) for name in FAMILIES])
def test_every_family_gives_a_valid_result(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")  # a table that does not fit leaves out columns and cuts no case
    result = result_of(name)
    document = build_micro(result, describe_environment())
    jsonschema.validate(json.loads(json.dumps(as_json(document), allow_nan=False)), schema_of("micro"))
    assert {row["primitive"] for row in result["results"]} == {name}
    for row in result["results"]:
        assert len(row["unit_s"]["samples"]) == 2
        assert row["ratio"] == pytest.approx(row["unit_s"]["median"] / row["limit"]["unit_s"])
        measured = [entry["threads"] for entry in result["limits"] if entry["name"] == row["limit"]["name"]]
        assert row["threads"] in measured  # held against the same number of threads
    text = render_micro(document)
    assert all(f"  {row['case']}  " in text for row in result["results"])


@pytest.mark.slow
def test_layers_are_timed_at_every_step() -> None:
    """Answers are joined and inputs copied in the plans where either is worthwhile."""
    steps: dict[str, set[str]] = {}
    for case in he.cases(TINY):
        step, _, layer = case.name.partition(" conv3x3 ")
        steps.setdefault(layer, set()).add(step)
    always = {"encrypt", "prepare", "respond", "respond, prepared", "decrypt"}
    assert steps == {
        "64, 4x4": always | {"join", "load and copy"},
        "64, 4x4, few bytes": always | {"join", "load and copy"},
        "8, 32x32": always,
        "8, 32x32, few bytes": always | {"join"},
    }


@pytest.mark.parametrize("name", ["garble", "evaluate", "relu", "truncate", "cot", "cross"])
def test_threads_are_timed_each(name: str) -> None:
    assert {row["threads"] for row in result_of(name)["results"]} == {1, 2}


def test_whole_groups_are_counted() -> None:
    assert {row["unit_count"] for row in result_of("relu")["results"]} == {96}


def test_gadget_bytes_are_those_of_a_relu() -> None:
    """11 half gates: two labels per gate offline, one per gate online; 12 labels of the client."""
    row = result_of("evaluate")["results"][0]
    assert row["case"] == "evaluate ReLU, 11 ANDs"
    sizes = row["unit_bytes"]
    assert 11 * 32 <= sizes["offline"] <= 11 * 32 + 16
    assert 11 * 16 + 4 < sizes["online_to_client"] < 11 * 16 + 5
    assert sizes["online_to_server"] == 4
    assert sizes["client_storage"] == pytest.approx(sizes["offline"] + 12 * 16 + 12)


def test_cross_product_bytes_are_its_job_s() -> None:
    """One OT per bit of the server's factor, and corrections of as many bits as still count."""
    sizes = {row["case"]: row["unit_bytes"] for row in result_of("cross")["results"]}
    for name, bit_count in (("square", 31), ("product", 32)):
        corrections = sum(range(1, bit_count + 1)) / 8
        for side in ("sender", "receiver"):
            assert sizes[f"{name}, {side}"] == {"to_sender": 4 * bit_count, "to_receiver": corrections}


def test_the_slowest_part_is_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = {"aes": 2.0, "memory": 3.0, "multiply_add": 5.0, "socket": 7.0, "round_trip": 11.0}
    costs["ring_multiply_add"] = 13.0
    monkeypatch.setattr(MachineLimits, "_measure", lambda self, name, threads: costs[name] / threads)
    limits = MachineLimits()
    assert limits.of(MinimalWork(aes_blocks=4, memory_bytes=2), 1) == ("aes", 8.0)
    assert limits.of(MinimalWork(aes_blocks=4, memory_bytes=3), 2) == ("memory", 4.5)
    assert limits.of(MinimalWork(multiply_adds=1, socket_bytes=1), 1) == ("socket", 7.0)
    assert limits.of(MinimalWork(ring_multiply_adds=2), 2) == ("ring_multiply_add", 13.0)
    assert limits.of(MinimalWork(round_trips=1), 2) == ("round_trip", 11.0)  # one connection, not two
    assert {(row["name"], row["threads"]) for row in limits.measured()} == {
        *(("aes", 1), ("memory", 1), ("aes", 2), ("memory", 2)),
        *(("ring_multiply_add", 2), ("multiply_add", 1), ("socket", 1), ("round_trip", 1)),
    }


def test_short_calls_are_repeated_and_the_first_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    calls = []

    def call() -> None:
        now[0] += 1.0 if not calls else 1e-3  # the first one is slow
        calls.append(None)

    monkeypatch.setattr("time.perf_counter", lambda: now[0])
    assert sample(call, 3) == pytest.approx([1e-3] * 3)
    assert len(calls) == 2 + 3 * 2


@pytest.mark.slow
def test_loopback_carries_bytes_and_frames() -> None:
    with Echo() as echo:
        echo.send(1_000_003)
        echo.send(0)
        echo.round_trips(3)
    with FrameEcho(1000) as frames:
        frames.send(5)
        frames.round_trips(3)
        assert frames._channel.sent.payload_bytes == 4 * 8 + 5 * 1000
        assert frames._channel.received.payload_bytes == 4
    assert echo._process.returncode == frames._process.returncode == 0
