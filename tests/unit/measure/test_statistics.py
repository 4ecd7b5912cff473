import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pi_bench.measure.environment import describe_environment
from pi_bench.measure.statistics import summarize


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_agrees_with_numpy(samples: list[float]) -> None:
    summary = summarize(samples)
    expected = np.percentile(samples, [0, 25, 50, 75, 100])
    found = [summary[name] for name in ("min", "q1", "median", "q3", "max")]
    assert found == pytest.approx(list(expected))
    assert summary["samples"] == samples


def test_environment_is_json_and_names_no_path() -> None:
    text = json.dumps(describe_environment())
    assert "/" not in json.loads(text)["cpu_model"]
    assert {"cpu_model", "core_count", "instruction_set", "versions", "commit"} <= json.loads(text).keys()
