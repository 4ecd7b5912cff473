import numpy as np
import pytest

from pi_bench.arithmetic.activation_law import EXACT, WindowLaw
from pi_bench.launch.verification import RunVerifier, Verdict
from pi_bench.network.compiler import compile_graph
from pi_bench.network.execution.reference import activation_reference, linear_reference, multiply_reference
from pi_bench.network.graph import Graph
from pi_bench.network.program import ActivationOp, InputOp, LinearOp, MultiplyOp, Program, Weights
from pi_bench.network.program.fixed_point import encode_input
from tests.contract.term_program import term_program

Compiled = tuple[Program, Weights]
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def compiled(tiny_graph: Graph) -> Compiled:
    return compile_graph(tiny_graph)


def honest_run(
    compiled: Compiled, mode: str, encoded: np.ndarray, sign_drop: int = 0
) -> tuple[Arrays, Arrays]:
    """Shares of a right run; the client's are uniform."""
    program, weights = compiled
    generator = np.random.default_rng(1)
    client: Arrays = {}
    server: Arrays = {}
    values: dict[int, np.ndarray] = {}
    for op in program.ops[:-1]:
        share = generator.integers(0, 2**32, op.shape, dtype=np.uint32)
        if isinstance(op, InputOp):
            name, values[op.id] = f"a:{op.id}", encoded
        elif isinstance(op, LinearOp):
            name, values[op.id] = f"x:{op.id}", linear_reference(op, values, weights)
        elif isinstance(op, MultiplyOp):
            name, values[op.id] = f"a:{op.id}", multiply_reference(op, values)
        else:
            assert isinstance(op, ActivationOp)
            v = client[f"x:{op.source}"]
            name, values[op.id] = (
                f"a:{op.id}",
                activation_reference(op, values[op.source], v, WindowLaw(mode, sign_drop)),
            )
        client[name], server[name] = share, values[op.id] - share
    return client, server


class Case:
    """A right run, to be spoiled."""

    def __init__(self, compiled: Compiled, mode: str, encoded: np.ndarray) -> None:
        self.program, self.weights = compiled
        self.client, self.server = honest_run(compiled, mode, encoded)
        source = f"x:{self.program.output.source}"
        self.output = self.client[source] + self.server[source]
        self.verifier = RunVerifier(self.program, self.weights, WindowLaw(mode), encoded)

    def verify(self) -> Verdict:
        return self.verifier.verify(self.client, self.server, self.output)


@pytest.fixture
def encoded(compiled: Compiled, tiny_input: np.ndarray) -> np.ndarray:
    return encode_input(compiled[0], tiny_input)


@pytest.fixture(params=["windowed", "exact"])
def case(request: pytest.FixtureRequest, compiled: Compiled, encoded: np.ndarray) -> Case:
    return Case(compiled, request.param, encoded)


def test_right_run_passes(case: Case) -> None:
    verdict = case.verify()
    assert verdict.passed and verdict.mismatch_count == verdict.out_of_range_count == 0
    assert verdict.compared_count >= sum(op.relu_count for op in case.program.activation_ops)
    assert verdict.max_ulp_error <= 1


def test_exact_run_is_no_ulp_off(compiled: Compiled, encoded: np.ndarray) -> None:
    assert Case(compiled, "exact", encoded).verify().max_ulp_error == 0


def test_one_wrong_bit_in_any_share_is_found_and_its_layer_named(case: Case) -> None:
    for op in case.program.ops[:-1]:
        key = f"x:{op.id}" if isinstance(op, LinearOp) else f"a:{op.id}"
        right = case.server[key]
        case.server[key] = right.copy()
        case.server[key].reshape(-1)[0] ^= 1 << 9
        verdict = case.verify()
        case.server[key] = right
        assert not verdict.passed
        assert verdict.mismatch_count >= 1
        assert repr(op.name) in verdict.failures[0]
    assert case.verify().passed


def test_wrong_output_is_found(case: Case) -> None:
    case.output = case.output + np.uint32(1)
    assert "break the output" in case.verify().failures[0]


def test_exact_mode_refuses_a_windowed_result(compiled: Compiled, encoded: np.ndarray) -> None:
    case = Case(compiled, "windowed", encoded)
    case.verifier = RunVerifier(case.program, case.weights, EXACT, encoded)
    assert not case.verify().passed


def test_dropped_sign_is_counted(compiled: Compiled, encoded: np.ndarray) -> None:
    program, weights = compiled
    most = min(op.window_bits - op.truncate_bits for op in program.activation_ops)
    counts = []
    for drop in (0, most):
        verifier = RunVerifier(program, weights, WindowLaw("truncated-sign", drop), encoded)
        client, server = honest_run(compiled, "truncated-sign", encoded, drop)
        source = f"x:{program.output.source}"
        verdict = verifier.verify(client, server, client[source] + server[source])
        assert verdict.mismatch_count == 0
        counts.append(verdict.zeroed_count)
    assert counts[0] == 0 < counts[1]


def test_missing_or_misshapen_share(case: Case) -> None:
    name = f"x:{case.program.activation_ops[0].source}"
    del case.client[name]
    assert "the client handed over no share" in case.verify().failures[0]
    case.client[name] = np.zeros(3, np.uint32)
    assert "not uint32 of shape" in case.verify().failures[0]


def test_value_outside_its_window_names_the_layer(compiled: Compiled, encoded: np.ndarray) -> None:
    verdict = Case(compiled, "windowed", encoded * np.uint32(200)).verify()  # far beyond calibration
    assert verdict.out_of_range_count > 0
    first = compiled[0].activation_ops[0]
    assert repr(first.name) in verdict.failures[0] and "outside the window" in verdict.failures[0]


@pytest.mark.parametrize("mode", ["windowed", "exact"])
def test_products_must_be_the_product_and_fit_the_ring(mode: str) -> None:
    program, weights = term_program()
    encoded = encode_input(program, np.random.default_rng(2).normal(size=program.input.shape).clip(-2, 2))
    case = Case((program, weights), mode, encoded)
    assert case.verify().passed
    for op in program.multiply_ops:
        right = case.server[f"a:{op.id}"]
        case.server[f"a:{op.id}"] = right + np.uint32(1)
        (first, *_) = case.verify().failures
        assert repr(op.name) in first and "break the product" in first
        case.server[f"a:{op.id}"] = right
    case.server["a:11"][:] = (1 << 16) - case.client["a:11"]
    outside = [line for line in case.verify().failures if "do not fit 32 bits (the largest is 2^32)" in line]
    assert len(outside) == 1 and "'square'" in outside[0]
