"""Times families of cases and holds them against the machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from pi_bench.measure.micro import channel, cot, cross, gadgets, he, linear, symmetric
from pi_bench.measure.micro.case import Case, Settings
from pi_bench.measure.micro.limits import MachineLimits
from pi_bench.measure.micro.timing import sample
from pi_bench.measure.statistics import summarize

FAMILIES: Mapping[str, Callable[[Settings], Iterator[Case]]] = {
    "aes": symmetric.aes_cases,
    "prg": symmetric.prg_cases,
    "cot": cot.cases,
    "cross": cross.cases,
    "garble": gadgets.garble_cases,
    "evaluate": gadgets.evaluate_cases,
    "relu": gadgets.relu_cases,
    "truncate": gadgets.truncate_cases,
    "he": he.cases,
    "linear": linear.cases,
    "channel": channel.cases,
}

SCHEMA_VERSION = 1


def run_micro(
    names: Sequence[str],
    settings: Settings,
    progress: Callable[[str, int, int], None] = lambda what, done, total: None,
    interrupted: Callable[[KeyboardInterrupt], None] | None = None,
) -> dict[str, Any]:
    """The cases of the families `names` (of `FAMILIES`), as JSON values; see micro.schema.json.

    interrupted: is told of Ctrl-C, after which the result holds the cases that were finished.

    Raises:
        KeyboardInterrupt: no case is finished, or there is no `interrupted`.
    """
    limits = MachineLimits(settings.isa)
    results: list[dict[str, Any]] = []
    whole = False
    try:
        for done, name in enumerate(names):
            progress(name, done, len(names))
            for case in FAMILIES[name](settings):
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


def _measure(name: str, case: Case, limits: MachineLimits, settings: Settings) -> dict[str, Any]:
    limit_name, limit_s = limits.of(case.work, case.threads)
    samples = [call_s / case.unit_count for call_s in sample(case.call, settings.repetitions)]
    summary = summarize(samples)
    return {
        "primitive": name,
        "case": case.name,
        "unit": case.unit,
        "unit_count": case.unit_count,
        "threads": case.threads,
        "unit_s": summary,
        "limit": {"name": limit_name, "unit_s": limit_s},
        "ratio": float(summary["median"]) / limit_s,  # type: ignore[arg-type]
        "unit_bytes": dict(case.bytes),
    }
