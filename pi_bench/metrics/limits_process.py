"""Measures the limits of the machine in a process of its own, which prints them as JSON.

``python -m pi_bench.metrics.limits_process THREADS [CORES PEER_CORES]`` binds itself to CORES and the other
end of its loopback connection to PEER_CORES, as the two parties of a run are bound. It has an environment of
its own, since the libraries of numpy choose their threads when they are loaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from pi_bench.costs import LIMIT_NAMES
from pi_bench.errors import EnvironmentUnsupportedError
from pi_bench.thread_environment import thread_environment

_TIMEOUT_S = 60.0


def measure_limits(
    threads: int, cores: Sequence[int] = (), peer_cores: Sequence[int] = ()
) -> dict[str, float]:
    """Measures every limit in another process, in about two seconds. Returns the seconds per unit by name.

    Without cores the system places both processes.

    Raises:
        EnvironmentUnsupportedError: the process failed.

    ```python
    def aes_block_s() -> float:
        return measure_limits(threads=1)["aes"]
    ```
    """
    pinned = [",".join(map(str, each)) for each in (cores, peer_cores)] if cores and peer_cores else []
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", __name__, str(threads), *pinned],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env={**os.environ, **thread_environment(1), "PYTHONWARNINGS": "ignore"},
            timeout=_TIMEOUT_S,
            check=True,
        )
        found = json.loads(done.stdout)
        return {name: float(found[name]) for name in LIMIT_NAMES}
    except (OSError, subprocess.SubprocessError, ValueError, KeyError, TypeError):
        raise EnvironmentUnsupportedError(
            "the limits of this machine cannot be measured; go on without them with --no-limits"
        ) from None


def main(threads: str, cores: str = "", peer_cores: str = "") -> None:
    """Measures the limits and prints them. Cores are numbers with commas between them.

    ```python
    def print_limits_of_neighbors() -> None:
        main("1", "0", "1")  # the calling process stays bound to core 0
    ```
    """
    from pi_bench.metrics.measured_limits import MachineLimits

    if cores:
        os.sched_setaffinity(0, [int(core) for core in cores.split(",")])
    peers = tuple(int(core) for core in peer_cores.split(",")) if peer_cores else ()
    limits = MachineLimits(peer_cores=peers)
    print(json.dumps({name: limits.unit_s(name, int(threads)) for name in LIMIT_NAMES}))


if __name__ == "__main__":
    main(*sys.argv[1:])
