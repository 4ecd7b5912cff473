"""The fixture `pi_bench_latency`, in test suites of a user: each runs in a pytest process of its own.

That process is a fork (tests/forked_starts.py) that has imported pytest, its plugins and pi-bench before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SMALL = """
import pytest

@pytest.mark.benchmark(group="private")
def test_latency(pi_bench_latency):
    result = pi_bench_latency("model.pt", protocol="null", runs=4, warmup=0)
    assert len(result.online.latency_s.samples) == RUNS
    print("measured", *result.online.latency_s.samples)

def test_other():
    pass
"""


@pytest.fixture
def suite(model_file: Path, tmp_path: Path) -> Path:
    """A folder with a model and an empty configuration."""
    shutil.copy(model_file, tmp_path / "model.pt")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    return tmp_path


def run(suite: Path, code: str, *flags: str, fails: bool = False) -> str:
    (suite / "test_user.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *flags],
        cwd=suite,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_XDIST")},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stdout + done.stderr


def kept(suite: Path) -> dict[str, Any]:
    (benchmark,) = json.loads((suite / "kept.json").read_text())["benchmarks"]
    return benchmark  # type: ignore[no-any-return]


def test_the_example_of_the_documents(suite: Path) -> None:
    text = (ROOT / "docs/comparing.md").read_text()
    (code,) = (
        block for block in re.findall(r"```python\n(.*?)```", text, re.S) if "pi_bench_latency" in block
    )
    output = run(suite, code, "--benchmark-json=kept.json", "--benchmark-autosave")
    assert re.search(r"test_private_latency\s+\d", output)  # a line of the table
    info = kept(suite)["extra_info"]
    assert info["protocol"] == "delphi" and info["relu_count"] > 0 and info["rounds"] > 1
    assert info["online_bytes_to_client"] > 0 and info["offline_bytes_to_server"] > 0 and info["verified"]
    quick = code.replace('"delphi", runs=10', '"null", runs=1')
    assert quick != code
    (stored,) = suite.glob(".benchmarks/*/0001_*.json")
    faster = json.loads(stored.read_text())
    faster["benchmarks"][0]["stats"]["median"] /= 1e6
    stored.write_text(json.dumps(faster))
    failed = run(suite, quick, "--benchmark-compare=0001", "--benchmark-compare-fail=median:50%", fails=True)
    assert "test_private_latency (0001" in failed and "test_private_latency (NOW)" in failed
    assert "Performance has regressed" in failed


def test_the_samples_are_the_online_latencies(suite: Path) -> None:
    output = run(suite, SMALL.replace("RUNS", "4"), "--benchmark-json=kept.json", "-s")
    measured = re.search(r"measured (.*)", output)
    assert measured is not None
    benchmark = kept(suite)
    assert benchmark["stats"]["data"] == [float(word) for word in measured[1].split()]
    assert benchmark["group"] == "private"  # the test's own mark counts too
    assert benchmark["options"]["timer"].endswith("online_latency")


def test_the_flags_of_pytest_benchmark(suite: Path) -> None:
    once = run(suite, SMALL.replace("RUNS", "1"), "--benchmark-disable")
    assert "2 passed" in once
    assert "1 passed, 1 skipped" in run(suite, SMALL, "--benchmark-skip")
    assert "1 passed, 1 skipped" in run(suite, SMALL.replace("RUNS", "4"), "--benchmark-only")
    missing = run(suite, SMALL, "-p", "no:benchmark", fails=True)
    assert "pip install pytest-benchmark" in missing and "1 passed" in missing


def test_a_wrong_answer_fails_the_test(suite: Path) -> None:
    code = """
import pi_bench
from msgspec.structs import replace

def test_latency(pi_bench_latency, monkeypatch):
    right = pi_bench.measure
    def wrong(*given, **options):
        result = right(*given, **options)
        failed = replace(result.verification, passed=False, failures=["layer 'stem' breaks the law"])
        return replace(result, verification=failed)
    monkeypatch.setattr(pi_bench, "measure", wrong, raising=False)
    pi_bench_latency("model.pt", protocol="null", runs=1, warmup=0)
"""
    assert "verification failed: layer 'stem' breaks the law" in run(suite, code, fails=True)


def test_an_error_is_shown_at_the_line_of_the_test_without_inner_frames(suite: Path) -> None:
    code = """
def test_latency(pi_bench_latency):
    pi_bench_latency("missing.pt")
"""
    output = run(suite, code, fails=True)
    assert "ModelError" in output and "missing.pt" in output
    assert re.findall(r"^\S+\.py:\d+: ", output, re.M) == ["test_user.py:3: "]


def test_a_second_call_in_one_test_says_what_to_do(suite: Path) -> None:
    code = """
import pytest
from pi_bench.errors import PiBenchError

def test_latency(pi_bench_latency):
    with pytest.raises(PiBenchError):  # a call that failed does not count
        pi_bench_latency("missing.pt")
    pi_bench_latency("model.pt", protocol="null", runs=1, warmup=0)
    pi_bench_latency("model.pt", protocol="null", runs=1, warmup=0)
"""
    output = run(suite, code, fails=True)
    assert "pi_bench_latency was called twice in one test" in output and "parametrize" in output


def test_a_suite_without_the_fixture_loads_nothing_heavy(suite: Path, new_interpreters: None) -> None:
    code = """
import sys

def test_modules(request):
    assert request.config.pluginmanager.has_plugin("pi_bench_fixture")
    assert not {"torch", "numpy", "msgspec", "pi_bench.python_interface"} & set(sys.modules)
"""
    assert "1 passed" in run(suite, code)
