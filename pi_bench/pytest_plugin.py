"""Adds the fixture `pi_bench_latency` to pytest: private latency among the benchmarks of a user's tests.

pytest loads this module in every test run on a machine where pi-bench is installed. So it imports nothing
that takes time until a test uses the fixture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pi_bench.report.documents.latency import Result

FIXTURE = "pi_bench_latency"

_SECOND_CALL = (
    "pi_bench_latency was called twice in one test, and pytest-benchmark keeps one benchmark per test: "
    "measure once per test, for several models or options with pytest.mark.parametrize, or call "
    "pi_bench.measure for figures that need no line in the table"
)


def pytest_configure(config: pytest.Config) -> None:
    """Registers the fixture, or one that says that pytest-benchmark is missing.

    ```python
    def names(config: pytest.Config) -> bool:
        pytest_configure(config)
        return config.pluginmanager.has_plugin("pi_bench_fixture")
    ```
    """
    there = config.pluginmanager.has_plugin("benchmark")
    config.pluginmanager.register(_Benchmarked() if there else _Missing(), "pi_bench_fixture")


class OnlineClock:
    """A clock that runs while a private inference is online, and stands still otherwise.

    pytest-benchmark reads its timer before and after each round. Between the two, the round adds the online
    latency that was measured.

    >>> clock = OnlineClock([0.25, 0.5])
    >>> clock(), clock.add_next(), clock()
    (0.0, None, 0.25)
    """

    __name__ = "online_latency"

    def __init__(self, samples_s: Sequence[float] = ()) -> None:
        self.samples_s: Iterator[float] = iter(samples_s)
        self.used = False  # pytest-benchmark takes one series of rounds per test
        self._now_s = 0.0

    def __call__(self) -> float:
        return self._now_s

    def reset(self) -> None:
        """Starts again from 0, so that no sum of earlier rounds rounds the next one."""
        self._now_s = 0.0

    def add_next(self) -> None:
        """Adds the next sample to the time."""
        self._now_s += next(self.samples_s)


class _Benchmarked:
    """The fixture where pytest-benchmark is installed."""

    @pytest.hookimpl
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Gives the benchmark of a test that uses the fixture the clock above, with its own options."""
        if FIXTURE in getattr(item, "fixturenames", ()):
            given = item.get_closest_marker("benchmark")
            options = {} if given is None else dict(given.kwargs)
            item.add_marker(pytest.mark.benchmark(**{**options, "timer": OnlineClock()}), append=False)

    @pytest.fixture
    def pi_bench_latency(self, request: pytest.FixtureRequest, benchmark: Any) -> Callable[..., Result]:
        """Measures private inferences as `pi_bench.measure` does, as the benchmark of this test.

        Its rounds are the timed runs, and their times the online latencies. It may be called once per test.
        A `PiBenchError` is raised without the frames inside the package, unless PI_BENCH_TRACEBACK is set.
        """
        marker = request.node.get_closest_marker("benchmark")
        clock: OnlineClock = marker.kwargs["timer"]

        def latency(model: Any, example_input: Any = None, **options: Any) -> Result:
            __tracebackhide__ = True
            import pi_bench
            from pi_bench.errors import PiBenchError

            if clock.used:
                pytest.fail(_SECOND_CALL, pytrace=False)
            if benchmark.disabled:
                options = {**options, "runs": 1, "warmup": 0, "precision": None}
            try:
                result = pi_bench.measure(model, example_input, **options)
            except PiBenchError as error:
                if os.environ.get("PI_BENCH_TRACEBACK"):
                    raise
                raise error.with_traceback(None) from None  # its message says all that a user can act on
            if result.verification is not None and not result.verification.passed:
                pytest.fail(f"verification failed: {result.verification.failures[0]}", pytrace=False)
            samples_s = result.online.latency_s.samples
            clock.samples_s, clock.used = iter(samples_s), True
            benchmark.extra_info.update(extra_info(result))
            benchmark.pedantic(clock.add_next, setup=clock.reset, rounds=len(samples_s))
            return result

        return latency


class _Missing:
    """The fixture where pytest-benchmark is not installed, or switched off."""

    @pytest.fixture
    def pi_bench_latency(self) -> None:
        """Fails, and names the package to install."""
        pytest.fail(
            "the fixture pi_bench_latency reports to pytest-benchmark, which is not active: "
            "pip install pytest-benchmark",
            pytrace=False,
        )


def extra_info(result: Result) -> dict[str, Any]:
    """Returns the figures of a result that pytest-benchmark keeps with the times.

    Bytes are payload bytes per inference.

    ```python
    def rounds(result: Result) -> float:
        return float(extra_info(result)["rounds"])
    ```
    """
    online, offline = result.online.bytes, result.offline.bytes
    return {
        "network": result.network.name,
        "digest": result.network.digest,
        "relu_count": result.network.relu_count,
        "protocol": result.protocol,
        "mode": result.mode,
        "link": getattr(result.link, "name", "loopback"),
        "threads": result.environment.threads,
        "rounds": result.online.comm_round_count,
        "online_bytes_to_server": online.client_to_server,
        "online_bytes_to_client": online.server_to_client,
        "offline_bytes_to_server": offline.client_to_server,
        "offline_bytes_to_client": offline.server_to_client,
        "offline_s": result.offline.time_s,
        "first_inference_s": result.first_inference_s,
        "verified": result.verified,
        "warnings": list(result.warnings),
    }
