"""pi_bench.measure, compare and inspect: a script without a guard, an event loop, a module, frames."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import EnvironmentUnsupportedError, InputError, UsageError
from pi_bench.report.documents.latency import Result
from pi_bench.report.text_width import wrapped

torch = pytest.importorskip("torch")


def test_a_model_file_is_measured_inside_an_event_loop(model_file: Path) -> None:
    async def cell() -> object:
        return pi_bench.measure(model_file, protocol="null", runs=2, warmup=0)

    result = asyncio.run(cell())
    assert isinstance(result, Result)
    assert result.verified and len(repr(result)) < 150
    assert len(result.online.latency_s.samples) == 2
    assert "online latency" in result.table()
    assert str(result) == wrapped(result.table()) and "\x1b" not in str(result)
    assert "<pre" in result._repr_html_()
    inspected = pi_bench.inspect(model_file)
    assert inspected.relu_count == result.network.relu_count
    assert "ReLU" in inspected.table() and "<pre" in inspected._repr_html_()
    assert str(inspected) == wrapped(inspected.table())
    shown = f"<Inspection: network={inspected.name!r}, relu_count={inspected.relu_count}, protocol='delphi'>"
    assert repr(inspected) == shown
    if find_spec("pandas") is None:
        with pytest.raises(EnvironmentUnsupportedError, match="pip install pandas"):
            result.to_pandas()
    else:
        assert len(result.to_pandas()) == len(result.online.layers)


def test_frames_have_a_row_per_layer_and_per_run(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for pandas, which shows the rows that it gets."""
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=list))
    result = pi_bench.measure(model_file, protocol="null", runs=2, warmup=0)
    rows = result.to_pandas()
    assert [row["name"] for row in rows] == [layer.name for layer in result.online.layers]
    assert sum(row["relu_count"] for row in rows) == result.network.relu_count
    runs = pi_bench.compare(result, result, names=["a", "b"]).to_pandas()
    assert [row["online_s"] for row in runs] == 2 * result.online.latency_s.samples


def test_a_script_without_a_guard_measures(model_file: Path, tmp_path: Path) -> None:
    """Neither party runs the script again, as the processes of `multiprocessing` would."""
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, pi_bench\n"
        "result = pi_bench.measure(sys.argv[1], protocol='null', runs=1, warmup=0)\n"
        "print(result.network.relu_count, result.verified)\n"
    )
    done = subprocess.run(
        [sys.executable, str(script), str(model_file)], capture_output=True, text=True, timeout=120
    )
    relu_count = pi_bench.inspect(model_file).relu_count
    assert done.stdout == f"{relu_count} True\n", done.stderr


@pytest.mark.filterwarnings("ignore:the network is calibrated on the example input alone")
def test_a_module_is_measured() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    result = pi_bench.measure(module, torch.randn(64, 4), protocol="null", runs=1, warmup=0)
    assert (result.network.relu_count, result.verified) == (8, True)


def test_warnings_point_at_the_line_that_calls(tmp_path: Path) -> None:
    module = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    with pytest.warns(UserWarning, match="calibrated on the example input alone") as caught:
        pi_bench.inspect(module, torch.ones(1, 4))
        pi_bench.export(module, torch.ones(1, 4), tmp_path / "model.pt")
    assert {warning.filename for warning in caught} == {__file__}


def test_results_and_models_are_compared(model_file: Path) -> None:
    results = [pi_bench.measure(model_file, protocol="null", runs=6, warmup=0, seed=n) for n in range(2)]
    comparison = pi_bench.compare(*results, names=["first", "second"])
    assert comparison.ratios[0].interval is not None
    assert repr(comparison).startswith("<ComparisonResult: sides=['first', 'second'], verdicts=['")
    assert str(comparison) == wrapped(comparison.table())
    assert "first" in comparison.table() and "<pre" in comparison._repr_html_()
    measured = pi_bench.compare(model_file, protocols=["ideal", "null"], rounds=2, runs=1)
    assert [side.name for side in measured.sides] == ["ideal", "null"]
    for sides in ((), (model_file,), (model_file, results[0])):
        with pytest.raises(UsageError):
            pi_bench.compare(*sides)


def test_the_sides_of_a_comparison_have_the_options_of_a_measurement(model_file: Path) -> None:
    """The same program and options, and the inputs of the caller, whose shape is checked."""
    fixed_point = {"batch": 2, "weight_bits": 7, "activation_bits": 9, "options": {"label_chunk": 2}}
    expected = pi_bench.inspect(model_file, protocol="delphi", **fixed_point)
    compared = pi_bench.compare(model_file, protocols=["delphi", "null"], rounds=1, runs=1, **fixed_point)
    assert [side.digest for side in compared.sides] == [expected.digest] * 2
    assert [side.options["label_chunk"] for side in compared.sides] == [2, 2]
    assert [side.input_count for side in compared.sides] == [2, 2]
    with pytest.raises(InputError, match="shape"):
        pi_bench.compare(model_file, protocols=["delphi", "null"], inputs=np.zeros((1, 1)))
    with pytest.raises(UsageError, match="label_chunk"):
        pi_bench.compare(model_file, protocols=["null", "ideal"], options={"label_chunk": 2})


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"runs": 0}, "runs 0"),
        ({"runs": 2.5}, "runs 2.5"),
        ({"warmup": -1}, "warmup -1"),
        ({"precision": 5}, "0.05 for 5 %"),
        ({"threads": 0}, "threads 0"),
    ],
)
def test_numbers_are_checked_as_on_the_command_line(
    numbers: dict[str, Any], message: str, model_file: Path
) -> None:
    with pytest.raises(UsageError, match=message):
        pi_bench.measure(model_file, **numbers)
    if numbers.keys() <= {"runs", "threads"}:
        with pytest.raises(UsageError, match=message):
            pi_bench.compare(model_file, model_file, names=["a", "b"], **numbers)


def test_no_rounds_are_refused(model_file: Path) -> None:
    with pytest.raises(UsageError, match="rounds 0"):
        pi_bench.compare(model_file, model_file, rounds=0)
