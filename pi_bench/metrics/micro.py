"""Times the micro cases of primitives and compares each with the limit of the machine.

A case has its buffers ready, a call to time, and the minimal work of one unit. The limits for that work are
measured in the same run (`pi_bench.metrics.measured_limits`). The ratio of both shows how far a kernel is
from its physical limit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pi_bench.metrics.measured_limits import MachineLimits
from pi_bench.metrics.statistics import summarize
from pi_bench.metrics.timing import sample
from pi_bench.primitives import Case, CaseSettings, Primitive
from pi_bench.primitives.built_in import BUILT_IN
from pi_bench.primitives.primitive import CaseMaker
from pi_bench.progress import Progress, silent
from pi_bench.registry import loadable_protocols

SCHEMA_VERSION = 1


def known_primitives() -> tuple[Primitive, ...]:
    """Lists the primitives of this package, then those that a protocol declares.

    Imports every protocol, and passes over those that do not load.

    >>> "cross products" in [primitive.name for primitive in known_primitives()]
    True
    """
    own = [primitive for info in loadable_protocols() for primitive in info.primitives]
    return tuple(dict.fromkeys((*BUILT_IN, *own)))  # protocols may share one


def run_micro(
    families: Mapping[str, CaseMaker],
    settings: CaseSettings,
    progress: Progress = silent,
    interrupted: Callable[[KeyboardInterrupt], None] | None = None,
) -> dict[str, Any]:
    """Times the cases of all `families` and returns JSON values with the fields of `pi-bench schema micro`.

    `interrupted` is called on Ctrl-C, after which the result holds the cases that were finished.

    Raises:
        KeyboardInterrupt: no case is finished, or there is no `interrupted`.

    >>> from pi_bench.primitives.symmetric import prg_cases
    >>> result = run_micro({"prg": prg_cases}, CaseSettings(count=64, threads=(1,), repetitions=1))
    >>> [(row["primitive"], row["case"]) for row in result["results"]]
    [('prg', 'generator, in cache'), ('prg', 'generator, streamed')]
    """
    limits = MachineLimits(settings.isa)
    results: list[dict[str, Any]] = []
    whole = False
    try:
        for done, (name, cases) in enumerate(families.items()):
            progress(name, done, len(families))
            for case in cases(settings):
                results.append(_measure(name, case, limits, settings))
        whole = True
    except KeyboardInterrupt as error:
        if interrupted is None or not results:
            raise
        interrupted(error)
    return {
        "schema_version": SCHEMA_VERSION,
        "interrupted": not whole,
        "count": settings.count,
        "threads": list(settings.threads),
        "repetitions": settings.repetitions,
        "limits": limits.measured(),
        "results": results,
    }


def _measure(name: str, case: Case, limits: MachineLimits, settings: CaseSettings) -> dict[str, Any]:
    limit_name, limit_s = limits.of(case.work, case.threads)
    samples = [call_s / case.unit_count for call_s in sample(case.call, settings.repetitions)]
    summary = summarize(samples)
    return {
        "primitive": name,
        "case": case.name,
        "unit": case.unit,
        "unit_count": case.unit_count,
        "threads": case.threads,
        "unit_s": {name: getattr(summary, name) for name in ("median", "q1", "q3", "min", "max")}
        | {"samples": samples},
        "limit": {"name": limit_name, "unit_s": limit_s},
        "ratio": summary.median / limit_s,
        "unit_bytes": dict(case.bytes),
    }
