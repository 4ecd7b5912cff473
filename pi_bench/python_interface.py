"""The functions of `pi_bench` for programs and notebooks, which do the work of the commands without a shell.

They start the parties as processes of their own program, so a notebook's event loop does not matter, and a
script needs no ``if __name__ == "__main__"``. They write no files but those that they are asked for.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pi_bench import defaults
from pi_bench.channel.link import Link
from pi_bench.comparison import build_comparison, measure_sides, side_of_result
from pi_bench.costs import Costs
from pi_bench.errors import UsageError
from pi_bench.launch import placement
from pi_bench.launch.cached_costs import machine_costs
from pi_bench.launch.cached_limits import machine_limits
from pi_bench.launch.model import load
from pi_bench.launch.weight_cache import weight_cache_bytes
from pi_bench.measurement_options.option import declarations
from pi_bench.measurement_options.table import MeasurementOptions
from pi_bench.metrics.machine_use import MachineWatch
from pi_bench.prediction.simulated_run import Setting
from pi_bench.progress import Progress, silent
from pi_bench.registry import default_protocol, find_protocol
from pi_bench.report.cautions import machine_cautions
from pi_bench.report.documents.comparison import ComparisonResult
from pi_bench.report.documents.inspection import Inspection
from pi_bench.report.documents.latency import Result
from pi_bench.tasks import Task, prepared
from pi_bench.tasks.inspecting import inspect_model

if TYPE_CHECKING:
    import torch


def measure(
    model: str | os.PathLike[str] | torch.nn.Module,
    example_input: torch.Tensor | np.ndarray | None = None,
    *,
    inputs: np.ndarray | None = None,
    protocol: str | None = None,
    mode: str | None = None,
    options: Mapping[str, int | str] | None = None,
    link: str | None = None,
    runs: int = defaults.RUNS,
    warmup: int | None = None,
    precision: float | None = None,
    max_time_s: float | None = None,
    threads: int | None = None,
    batch: int | None = None,
    weight_bits: int | None = None,
    activation_bits: int | None = None,
    seed: int = 0,
    timeout_s: float = defaults.TIMEOUT_S,
    predict: bool = False,
    limits: bool = False,
    progress: Progress = silent,
) -> Result:
    """Measures and verifies private inferences, as `pi-bench latency` does.

    Args:
        model: a model file, or a torch module, which is exported with `example_input` first.
        example_input: float, with a batch axis; for a module alone.
        inputs: real numbers of the input's shape; None draws noise with `seed`.
        protocol: its name; None for the default one.
        mode: None for the protocol's first one.
        options: the protocol's own options, by name.
        link: such as ``"lan"`` or ``"100Mbit,40ms"``; None for loopback as it is.
        runs: timed runs; with `precision` at least so many.
        warmup: untimed runs; None runs until the last two agree.
        precision: repeats until half the interval of the median is at most this fraction of it.
        max_time_s: bounds the repeating of `precision`; None for 120 s.
        threads: computing threads per party; None for half of the cores.
        weight_bits, activation_bits: for all layers; None for those that the export chose.
        timeout_s: seconds without progress after which the measurement fails.
        progress: called with the current step, how many runs are finished, and how many there are.
        batch: inputs per inference; None for as many as `inputs` has, or 1.
        predict: whether the result has the predicted times beside the measured ones. Costs of this machine
            that are not known are measured first, in some seconds.
        limits: whether the result has the limits of this machine and the floor. They are measured first, in
            two seconds, unless the cache has some that are a few minutes old.

    Raises:
        PiBenchError: the model, an input or an option cannot be used, or a party failed. A verification that
            fails raises nothing: see ``result.verified``.

    ```python
    import pi_bench

    def online_ms(model_file: str) -> float:
        result = pi_bench.measure(model_file, protocol="fss", link="lan", runs=10)
        assert result.verified
        return 1e3 * result.online.latency_s.median
    ```
    """
    given = dict(locals())
    with _model_file(model, example_input) as path:
        task = _task(
            path,
            protocol=protocol,
            mode=mode,
            options=options,
            measuring=_measuring(given),
            inputs=inputs,
            input_text="" if inputs is None else "array",
            arguments=_shown(given, path),
        )
        if predict:
            task = replace(task, find_costs=lambda report: _costs(task, report))
        if limits:
            task = replace(task, find_limits=lambda report: machine_limits(task.place, report))
        whole = prepared(task, progress)
        return whole.result(whole.measure(progress))


def compare(
    *sides: str | os.PathLike[str] | Result,
    names: Sequence[str] | None = None,
    rounds: int | None = None,
    runs: int = defaults.RUNS,
    protocols: Sequence[str] = (),
    links: Sequence[str] = (),
    inputs: np.ndarray | None = None,
    mode: str | None = None,
    options: Mapping[str, int | str] | None = None,
    threads: int | None = None,
    batch: int | None = None,
    weight_bits: int | None = None,
    activation_bits: int | None = None,
    seed: int = 0,
    timeout_s: float = defaults.TIMEOUT_S,
    progress: Progress = silent,
) -> ComparisonResult:
    """Compares model files, or results of `measure`, as `pi-bench compare` does.

    Args:
        sides: model files, which are measured in turns, or results, which are compared as they are. The first
            one is the base. One model file is compared under several `protocols` or over several `links`.
        names: of the sides; None takes the names of files, protocols or links.
        rounds: rounds with new processes; at least 4 give an interval. None measures 10, and more, up to 30,
            until the interval is narrow.
        runs: runs per side and round.

    All other arguments are those of `measure`, for every side.

    Raises:
        UsageError: there are fewer than two sides, or both kinds of sides, or a protocol lacks an option.
        PiBenchError: a model cannot be used, a party failed, or an answer was wrong.

    ```python
    import pi_bench

    def is_faster(model_file: str) -> bool:
        comparison = pi_bench.compare(model_file, protocols=["delphi", "fss"])
        return comparison.ratios[0].verdict == "faster"
    ```
    """
    given = dict(locals())
    if rounds is not None and rounds < 1:
        raise UsageError(f"rounds {rounds}: a number from 1 on is needed")
    results = [side for side in sides if isinstance(side, Result)]
    if results and len(results) < len(sides):
        raise UsageError(
            "results and model files cannot be compared with each other; measure the files first"
        )
    if results:
        chosen = list(names or [f"{result.network.name} ({i + 1})" for i, result in enumerate(results)])
        _require_sides(chosen, len(results))
        stored = [side_of_result(result, name) for name, result in zip(chosen, results, strict=True)]
        return build_comparison(stored, results, {}, interrupted=False)
    paths = [Path(os.fspath(side)) for side in sides if not isinstance(side, Result)]
    variants = [
        (path, protocol, link)
        for path in paths
        for protocol in (protocols or (None,))
        for link in (links or (None,))
    ]
    chosen = list(names or [_name(*variant, alone=len(paths) == 1) for variant in variants])
    _require_sides(chosen, len(variants))
    tasks = {}
    for name, (path, protocol, link) in zip(chosen, variants, strict=True):
        task = _task(
            path,
            protocol=protocol,
            mode=mode,
            options=options,
            measuring=_measuring({**given, "link": link}),
            inputs=inputs,
            input_text="" if inputs is None else "array",
        )
        tasks[name] = prepared(task, progress)
    with MachineWatch() as watch:
        measured, interruption = measure_sides(
            tasks,
            rounds=rounds or defaults.ROUNDS,
            runs=runs,
            most_rounds=defaults.MOST_ROUNDS if rounds is None else None,
            progress=progress,
        )
    return build_comparison(
        measured, [], {}, interrupted=interruption is not None, cautions=machine_cautions(watch.use)
    )


def inspect(
    model: str | os.PathLike[str] | torch.nn.Module,
    example_input: torch.Tensor | np.ndarray | None = None,
    *,
    protocol: str | None = None,
    mode: str | None = None,
    options: Mapping[str, int | str] | None = None,
    link: str | None = None,
    threads: int | None = None,
    batch: int | None = None,
    weight_bits: int | None = None,
    activation_bits: int | None = None,
    predict: bool = False,
    explain: bool = False,
    progress: Progress = silent,
) -> Inspection:
    """Counts the operations of a network before it runs, as `pi-bench inspect` does.

    The arguments are those of `measure`. `explain` needs `predict`.

    Raises:
        PiBenchError: the model or an option cannot be used.

    ```python
    import pi_bench

    def relu_count(model_file: str) -> int:
        return pi_bench.inspect(model_file).relu_count
    ```
    """
    given = dict(locals())
    if explain and not predict:
        raise UsageError("explain=True explains a prediction; give predict=True too")
    with _model_file(model, example_input) as path:
        task = _task(
            path,
            protocol=protocol,
            mode=mode,
            options=options,
            measuring=_measuring(given),
        )
        loaded = load(path, task.measuring.compiling())
        costs = _costs(task, progress) if predict else None
        setting = None if costs is None else Setting(costs, task.measuring.link, polls=task.place.pinned)
        return inspect_model(loaded, task.info, task.options, setting, _shown(given, path), explain=explain)


def _task(
    path: Path,
    *,
    protocol: str | None,
    mode: str | None,
    options: Mapping[str, int | str] | None,
    measuring: MeasurementOptions,
    **others: Any,
) -> Task:
    info = default_protocol() if protocol is None else find_protocol(protocol)
    if measuring.threads is not None and measuring.threads < 1:
        raise UsageError(f"threads {measuring.threads}: a number from 1 on is needed")
    place = placement.place(measuring.threads)
    asked_mb = measuring.weight_cache_mb
    configured = info.configure(
        mode,
        dict(options or {}),
        threads=place.threads,
        weight_cache_bytes=weight_cache_bytes(None if asked_mb is None else 1_000_000 * asked_mb),
        ahead=measuring.ahead,
    )
    return Task(model=path, info=info, options=configured, place=place, measuring=measuring, **others)


def _measuring(given: Mapping[str, Any]) -> MeasurementOptions:
    """Returns the options of a measurement among the arguments of a function. `link` is its text."""
    known = {name: given[name] for name in declarations(MeasurementOptions) if name in given}
    text = given["link"]
    return MeasurementOptions(
        **{**known, "link": None if text in (None, "loopback") else Link.parse(str(text))}
    )


def _costs(task: Task, progress: Progress) -> Costs | None:
    if task.info.script is None:
        return None
    return machine_costs(task.info, task.place.threads, progress)


@contextmanager
def _model_file(model: Any, example_input: Any) -> Iterator[Path]:
    """Yields the model file, which is a temporary one for a module."""
    if isinstance(model, str | os.PathLike):
        if example_input is not None:
            raise UsageError("example_input is for a torch module; a model file knows its shape")
        yield Path(os.fspath(model))
        return
    from pi_bench.exporting import export

    with tempfile.TemporaryDirectory(prefix="pi-bench-") as folder:
        path = Path(folder, "model.pt")
        export(model, example_input, path)
        yield path


def _shown(given: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Returns the arguments that a result shows: no arrays, and of the file its name."""
    left_out = ("model", "example_input", "inputs", "progress", "options")
    fields = {name: value for name, value in given.items() if name not in left_out}
    return {"model": path.name, **fields, "options": dict(given["options"] or {})}


def _name(path: Path, protocol: str | None, link: str | None, *, alone: bool) -> str:
    words = [word for word in (protocol, link) if word is not None]
    return ", ".join(words) if alone and words else ", ".join([path.name, *words])


def _require_sides(names: Sequence[str], count: int) -> None:
    if count < 2:
        raise UsageError(
            "one side is nothing to compare: give two models or results, or several protocols or links"
        )
    if len(names) != count or len(set(names)) != count:
        raise UsageError(f"there are {count} sides, and each needs a name of its own; give names=[...]")
