"""Makes the sides of a comparison: one per network, protocol, link or number of threads."""

from __future__ import annotations

from collections.abc import Sequence

from pi_bench.report.documents.comparison import SessionTimes, Side
from pi_bench.report.documents.latency import Result


def side_of_result(result: Result, name: str) -> Side:
    """Returns a result of `pi-bench latency` as a side with one session.

    ```python
    def sides(results: dict[str, Result]) -> list[Side]:
        return [side_of_result(result, name) for name, result in results.items()]
    ```
    """
    return Side(
        name=name,
        source="stored",
        network=result.network.name,
        digest=result.network.digest,
        protocol=result.protocol,
        mode=result.mode,
        options=result.options,
        link=result.link.name,
        threads=result.environment.threads,
        relu_count=result.network.relu_count,
        input_count=result.network.input_count,
        online_bytes=result.online.bytes.total,
        offline_bytes=result.offline.bytes.total,
        rounds=result.online.comm_round_count,
        verified=result.verified,
        online_floor_s=None if result.floor is None else result.floor.online.time_s or None,
        offline_floor_s=None if result.floor is None else result.floor.offline.time_s or None,
        sessions=[SessionTimes(online_s=result.online.latency_s.samples, offline_s=result.offline.samples_s)],
    )


def differences(sides: Sequence[Side], results: Sequence[Result]) -> tuple[str, ...]:
    """Names the differences between stored results apart from their times.

    Args:
        results: the results of the stored sides, in order; none where all sides were measured together.

    >>> differences([], [])
    ()
    """
    found = []
    for what, values in (
        ("network", [side.network for side in sides]),
        ("program", [side.digest[:16] for side in sides]),
        ("protocol", [side.protocol for side in sides]),
        ("mode", [side.mode for side in sides]),
        ("options", [_options(side) for side in sides]),
        ("link", [side.link for side in sides]),
        ("inputs answered together", [str(side.input_count) for side in sides]),
        ("inferences per offline phase", [str(result.offline.ahead) for result in results]),
        ("threads per party", [str(side.threads) for side in sides]),
        ("processor", [result.environment.cpu_model for result in results]),
        ("processor of the server", [_server_processor(result) for result in results]),
        ("usable cores", [str(result.environment.usable_core_count) for result in results]),
        ("instruction set", [result.environment.instruction_set for result in results]),
        ("commit of pi-bench", [result.environment.commit or "unknown" for result in results]),
        ("torch", [result.environment.versions.get("torch", "none") for result in results]),
        ("system", [result.environment.system for result in results]),
    ):
        if len(set(values)) > 1:
            found.append(f"{what}: {' / '.join(values)}")
    return tuple(found)


def _server_processor(result: Result) -> str:
    server = result.server_environment
    return "on one machine" if server is None else f"{server.cpu_model}, threads: {server.threads}"


def _options(side: Side) -> str:
    return ", ".join(f"{name} {value}" for name, value in sorted(side.options.items())) or "none"
