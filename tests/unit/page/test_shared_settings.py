"""The line under the title has the settings that all runs share, and no others."""

from __future__ import annotations

import copy
from typing import Any

from pi_bench.page.runs import labeled_runs
from pi_bench.page.shared_settings import shared_settings
from tests.unit.page.stored_runs import inputs_of, several, variant


def settings_of(*documents: dict[str, Any]) -> dict[str, str]:
    return dict(shared_settings(labeled_runs(inputs_of(*documents).results)))


def test_settings_that_all_runs_share_are_stated_once() -> None:
    environment = variant()["environment"]
    found = settings_of(*several())
    assert list(found) == ["machine", "commit", "measured", "runs", "threads", "mode", "fixed point"]
    assert found["machine"].startswith(environment["cpu_model"])
    assert found["commit"] == (environment["commit"] or "unknown")
    assert found["measured"] == environment["time"][:10]
    assert found["threads"] == "1 thread per party" and found["mode"] == "windowed"


def test_a_setting_in_which_runs_differ_is_left_out() -> None:
    first, second = variant(), variant(name="resnet18-cifar100-57344")
    for document in (first, second):
        document["precision"] = 0.02
    assert settings_of(first, second)["precision"] == "the median is known within 2.0 %"
    for part, name, value in (("environment", "threads", 2), ("environment", "commit", "abcdef")):
        other = copy.deepcopy(second)
        other[part][name] = value
        assert set(settings_of(first, second)) - set(settings_of(first, other)) == {name}
    other = {**second, "mode": "exact", "precision": None, "runs": first["runs"] + 1}
    assert set(settings_of(first, second)) - set(settings_of(first, other)) == {"mode", "precision", "runs"}


def test_dates_and_bits_are_ranges_over_all_runs() -> None:
    first, second = variant(), variant(name="resnet18-cifar100-57344")
    second["environment"]["time"] = "2031-01-02T03:04:05+00:00"
    second["bits"] = {"activations": {"input": 3}, "weights": {"conv": 2}}
    found = settings_of(first, second)
    assert found["measured"] == f"{first['environment']['time'][:10]} to 2031-01-02"
    assert found["fixed point"].startswith("activation bits 3 to ")
    assert "weight bits 2 to " in found["fixed point"]
    assert "fixed point" not in settings_of(first, {**second, "bits": None})
