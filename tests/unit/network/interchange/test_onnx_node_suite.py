"""ONNX's own tests of its operators: each case is right, or refused with a reason; the right ones are pinned.

`python -m tests.onnx_suite` prints the table of operators, and `--pin` renews the list.
"""

import json

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
from tests import onnx_suite

pytestmark = pytest.mark.timeout(1800)


def test_every_case_is_right_or_refused() -> None:
    print("\n" + onnx_suite.table(onnx_suite.outcomes()))
    assert len(onnx_suite.outcomes()) > 300
    for case, result in onnx_suite.outcomes():
        assert result.kind != "wrong", f"{case.name}: {result.reason}"
        if result.kind == "refused":
            assert "\n" not in result.reason and len(result.reason) < 400, case.name
            # Functions name an operator inside, and a graph is refused by the name of its node.
            words = (case.operator, "operator ", "cannot be lowered: ", "batch_norm '", "prelu '", "all zero")
            assert any(word in result.reason for word in words), result.reason


def test_none_that_was_right_is_refused() -> None:
    refused = {case.name: result.reason for case, result in onnx_suite.outcomes() if result.kind != "right"}
    assert not {name: refused[name] for name in json.loads(onnx_suite.RIGHT.read_text()) if name in refused}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", onnx_suite.LIGHT)
def test_light_models(name: str) -> None:
    result = onnx_suite.light_outcome(name)
    refused = name == "inception_v1"
    assert result.kind == ("refused" if refused else "right"), result.reason
    assert not refused or ("LRN" in result.reason and "BatchNormalization" in result.reason)
