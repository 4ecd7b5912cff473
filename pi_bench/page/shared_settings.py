"""The settings in which all runs of a page agree, for the line under its title."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pi_bench.page.runs import LabeledRun
from pi_bench.report.bits import bits_text
from pi_bench.report.documents.fidelity import LayerBits
from pi_bench.report.documents.latency import Result
from pi_bench.report.quantities import counted, percent
from pi_bench.report.two_machines import threads_text

_DATE = 10  # characters of a time in ISO 8601


def shared_settings(runs: Sequence[LabeledRun]) -> tuple[tuple[str, str], ...]:
    """Returns the names and values of the settings that are the same for all runs.

    The dates and the bits of layers are given as the ranges that they have over all runs.

    >>> shared_settings([])
    ()
    """
    results = [run.result for run in runs]
    if not results:
        return ()
    found = [
        (name, next(iter(values)))
        for name, write in _SETTINGS.items()
        if len(values := {write(each) for each in results}) == 1
    ]
    found.insert(min(2, len(found)), ("measured", dates_text(results)))
    return tuple(
        (name, value) for name, value in (*found, ("fixed point", bits_over_layers(results))) if value
    )


def machine_text(result: Result) -> str:
    """Names the processor and the cores of a run's machine, or of both machines.

    ```python
    def print_machines(results: list[Result]) -> None:
        print(*sorted({machine_text(each) for each in results}), sep="\\n")
    ```
    """
    client, server = result.environment, result.server_environment
    text = f"{client.cpu_model}, {client.usable_core_count} of {counted(client.core_count, 'core')}"
    if server is None:
        return text
    return f"client {text}; server {server.cpu_model}, {counted(server.core_count, 'core')}"


def _commit(result: Result) -> str:
    client, server = result.environment.commit, result.server_environment
    commits = dict.fromkeys([client or "unknown", *([] if server is None else [server.commit or "unknown"])])
    return " and ".join(commits)


def precision_text(result: Result) -> str:
    """Says how well the median of a run is known, if `--precision` asked for it.

    ```python
    def print_precisions(results: list[Result]) -> None:
        print(*map(precision_text, results))
    ```
    """
    return "" if result.precision is None else f"the median is known within {percent(result.precision, 1)}"


_SETTINGS: dict[str, Callable[[Result], str]] = {
    "machine": machine_text,
    "commit": _commit,
    "runs": lambda result: f"{counted(result.runs, 'timed run')} each",
    "threads": threads_text,
    "mode": lambda result: result.mode,
    "precision": precision_text,
}


def dates_text(results: Sequence[Result]) -> str:
    """Writes the first and the last date on which results were measured.

    ```python
    def print_dates(results: list[Result]) -> None:
        print(dates_text(results))
    ```
    """
    dates = sorted(each.environment.time[:_DATE] for each in results)
    return dates[0] if dates[0] == dates[-1] else f"{dates[0]} to {dates[-1]}"


def bits_over_layers(results: Sequence[Result]) -> str:
    """Writes the bits of all layers of all runs; "" if a result does not note them.

    >>> bits_over_layers([])
    ''
    """
    known = [each.bits for each in results if each.bits is not None]
    if len(known) < len(results):
        return ""
    activations, weights = (
        {f"{run} {name}": bits for run, each in enumerate(layers) for name, bits in each.items()}
        for layers in ([each.activations for each in known], [each.weights for each in known])
    )
    if not activations:
        return ""
    return f"{bits_text(LayerBits(activations=activations, weights=weights))}, over all layers"
