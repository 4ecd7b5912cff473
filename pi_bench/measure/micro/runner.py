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
) -> dict[str, Any]:
    """The cases of the families `names` (of `FAMILIES`), as JSON values; see micro.schema.json."""
    limits = MachineLimits(settings.isa)
    results = []
    for done, name in enumerate(names):
        progress(name, done, len(names))
        results += [_measure(name, case, limits, settings) for case in FAMILIES[name](settings)]
    return {
        "schema_version": SCHEMA_VERSION,
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
