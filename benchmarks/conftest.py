"""Holds the fixtures of all benchmarks: instruction sets, the record of the machine, the targets.

A benchmark's stored entry has in ``extra_info``: machine, instruction set and commit; its counts
(elements, OTs, bytes, rounds, ReLUs); and ``targets``, one entry for each row of targets.py that it
measured: key, value in SI units, and the machine's limit where there is one.
"""

from __future__ import annotations

import os

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))
# Above numpy's import: its matrix products are timed on one core, as each party's are.

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.targets import TARGETS
from pi_bench.crypto.symmetric import aes128_encrypt
from pi_bench.metrics.environment import describe_environment
from pi_bench.metrics.measured_limits import MachineLimits
from pi_bench.primitives import Case
from pi_bench.primitives.buffers import filled

Record = Callable[..., None]


def pytest_configure(config: pytest.Config) -> None:
    if not config.getoption("benchmark_enable"):
        raise pytest.UsageError("benchmarks need --benchmark-enable; `make bench` runs them all")
    config.addinivalue_line("markers", "long: runs a whole network; leave out with -m 'not long'")


@pytest.fixture(scope="session")
def machine() -> dict[str, object]:
    environment = describe_environment()
    named = {name: environment[name] for name in ("cpu_model", "usable_core_count", "commit", "versions")}
    return named | {"load_average": os.getloadavg()[0]}  # before the first benchmark


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """The model file of the CIFAR-100 network with so many ReLUs, made once."""
    folder = tmp_path_factory.mktemp("networks")
    models = importlib.import_module("pi_bench.models")

    def find(relu_count: int) -> Path:
        path = folder / f"{relu_count}.pt"
        if not path.exists():
            models.export_recipe(models.load_recipe(f"resnet18-cifar100-{relu_count}"), path)
        return path

    return find


@pytest.fixture(params=["aesni", "vaes512"])
def isa(request: pytest.FixtureRequest) -> str:
    """Each instruction set with AES that this processor has."""
    return _available(request.param)


@pytest.fixture(params=["portable", "aesni", "vaes512"])
def every_isa(request: pytest.FixtureRequest) -> str:
    """The portable kernels too, which are some twenty times slower."""
    return _available(request.param)


def _available(isa: str) -> str:
    try:
        aes128_encrypt(bytes(16), filled(16), isa=isa)
    except RuntimeError as error:
        pytest.skip(str(error))
    return isa


@pytest.fixture(autouse=True)
def _machine_in_extra_info(benchmark, machine: dict[str, object]) -> Iterator[None]:
    benchmark.extra_info.update(machine)
    yield


@pytest.fixture
def target(benchmark) -> Record:
    """``target(key, value, limit=None)``: `value` was measured for TARGETS[key], both in SI units.

    `limit`: the value that the machine would reach at best.
    """

    def record(key: str, value: float, limit: float | None = None) -> None:
        entry = {"key": key, "title": TARGETS[key].title, "value": value, "limit": limit}
        benchmark.extra_info.setdefault("targets", []).append(entry)

    return record


@pytest.fixture(scope="session")
def limits_of() -> Callable[[str], MachineLimits]:
    """The machine's limits by instruction set, each measured once."""
    known: dict[str, MachineLimits] = {}
    return lambda isa: known.setdefault(isa, MachineLimits(isa))


@pytest.fixture
def time_case(benchmark, limits_of, target) -> Callable[..., float]:
    """Times a `Case` of pi_bench.primitives; returns and records the median seconds of a unit."""

    def time_one(case: Case, isa: str, key: str | None = None) -> float:
        limit_name, limit_s = limits_of(isa).of(case.work, case.threads)
        benchmark(case.call)
        unit_s = benchmark.stats.stats.median / case.unit_count
        benchmark.extra_info.update(
            case=case.name,
            isa=isa,
            threads=case.threads,
            unit=case.unit,
            unit_count=case.unit_count,
            unit_s=unit_s,
            unit_bytes=dict(case.bytes),
            limit={"name": limit_name, "unit_s": limit_s},
            times_limit=unit_s / limit_s,
        )
        if key is not None and key in TARGETS:
            target(key, unit_s, limit_s)
        return unit_s

    return time_one
