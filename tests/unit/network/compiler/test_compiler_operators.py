"""The costs of operators and their public parts: comparisons, rounds, multipliers, weights."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional

from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph.float_run import calibrate
from pi_bench.network.lowering import lower
from pi_bench.network.program import (
    ActivationKind,
    Convolution,
    FullyConnected,
    Program,
    Weights,
    derived_values,
)
from pi_bench.network.program.codec import program_to_bytes
from tests.operators import FromFunction, Scaled


def compiled(
    module: nn.Module, shape: tuple[int, ...] = (3, 8, 8), options: CompileOptions | None = None
) -> tuple[Program, Weights]:
    x = torch.randn(16, *shape, generator=torch.Generator().manual_seed(3))
    graph = lower(module.eval(), x[:1])
    graph = dataclasses.replace(graph, ranges=calibrate(graph, x.numpy()))
    return compile_graph(graph, options)


def conv(*arguments, **options) -> nn.Conv2d:
    with torch.random.fork_rng():
        torch.manual_seed(5)
        return nn.Conv2d(*arguments, **options)


def kinds(program: Program) -> list[str]:
    return ["+".join(group.kind.value for group in op.groups) for op in program.activation_ops]


@pytest.mark.parametrize(
    ("pool", "rounds", "comparisons"),
    [
        (nn.MaxPool2d(2), 2, 8 * 4 + 4 * 4),
        (nn.MaxPool2d(3, 2, 1), 4, 2 * 4 * 8 + 2 * 4 * 4),
        (nn.MaxPool2d(3, 1, 1), 4, (9 * 8 + 8 * 8) * 2),
        (nn.MaxPool2d(5, 1, 2), 6, (11 * 8 + 9 * 8 + 8 * 8) * 2),
        (nn.MaxPool2d(4), 4, 3 * 2 * 8 + 3 * 2 * 2),
        (nn.MaxPool2d((1, 8)), 3, 8 * 7),
        (nn.MaxPool2d(1, 2), 0, 0),
    ],
    ids=["2", "3/2", "3", "5", "4/4", "1x8", "1/2"],
)
def test_max_pools_share_comparisons_and_take_logarithmic_rounds(pool, rounds, comparisons) -> None:
    program, _ = compiled(rectified(pool))
    tournament = program.activation_ops[1:]
    assert len(tournament) == rounds
    assert sum(op.relu_count for op in tournament) == comparisons
    assert all(op.truncate_bits == 0 for op in tournament)
    # Values after a ReLU differ by no more than one of them: the window is no wider than theirs.
    relu = program.activation_ops[0]
    assert all(op.window_bits <= relu.window_bits - relu.truncate_bits for op in tournament)


def rectified(pool: nn.Module, channels: int = 1) -> nn.Module:
    """The pool of a value after ReLU, which a second reader keeps from going after the pool."""
    return FromFunction(_pool_and_keep, c=conv(3, channels, 1), pool=pool)


def _pool_and_keep(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = functional.relu(m.c(x))
    return torch.cat([m.pool(y).flatten(1), y.flatten(1)], 1)


def test_differences_of_signed_values_have_a_window_of_one_bit_more() -> None:
    signed, _ = compiled(nn.Sequential(conv(3, 2, 1), nn.MaxPool2d(2)))
    positive, _ = compiled(rectified(nn.MaxPool2d(2), 2))
    assert kinds(signed) == ["truncate", "relu", "relu"] and kinds(positive) == ["relu"] * 3
    maximum = [program.activation_ops[-1].window_bits for program in (signed, positive)]
    assert maximum[0] == maximum[1] + 1


def test_a_relu_goes_behind_the_max_pool_that_alone_reads_it() -> None:
    program, _ = compiled(nn.Sequential(conv(3, 4, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)))
    assert kinds(program) == ["truncate", "relu", "relu", "relu"]
    last = program.activation_ops[-1]
    assert last.relu_count == 4 * 4 * 4 and last.truncate_bits == 0
    assert program.relu_count == 4 * (4 * 8 + 4 * 4 + 4 * 4)
    program, _ = compiled(FromFunction(_pool_and_read, c=conv(3, 4, 1)))
    assert kinds(program)[0] == "relu"


def _pool_and_read(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = functional.relu(m.c(x))
    return functional.max_pool2d(y, 2) + y[:, :, ::2, ::2]


def test_sums_of_activations_are_read_by_weights_without_a_truncation() -> None:
    module = FromFunction(
        lambda m, x: m.c(torch.cat([functional.relu(m.a(x)) + functional.relu(m.b(x)), x], 1)),
        a=conv(3, 4, 3, padding=1),
        b=conv(3, 4, 1),
        c=conv(7, 2, 3),
    )
    program, _ = compiled(module)
    assert kinds(program) == ["relu", "relu"]
    joined = program.linear_ops[-2]
    assert joined.id in derived_values(program) and joined.shape == (1, 7, 8, 8)
    assert [term.first_channel for term in joined.terms] == [0, 0, 4]
    assert program.linear_ops[-1].terms[0].source == joined.id


def test_a_clamp_is_two_relus_of_one_value_and_no_message_more() -> None:
    program, _ = compiled(nn.Sequential(conv(3, 4, 3), nn.ReLU6(), conv(4, 2, 1)))
    assert kinds(program) == ["relu", "relu"]
    low, high = program.activation_ops
    shifted = next(op for op in program.linear_ops if op.id == high.source)
    assert [term.source for term in shifted.terms] == [low.source] and shifted.bias is not None
    difference = program.linear_ops[-2]
    assert [term.multiplier for term in difference.terms] == [1, -1]


@pytest.mark.slow
def test_secret_slopes_stay_out_of_the_program() -> None:
    programs = []
    for slopes in (torch.full((4,), 0.25), torch.tensor([0.3, 0.25, 0.27, 0.49])):
        prelu = nn.PReLU(4)
        prelu.weight.data = slopes
        options = CompileOptions(per_channel=False)  # scales of channels follow the sizes of weights
        program, weights = compiled(nn.Sequential(conv(3, 4, 3), prelu, conv(4, 2, 1)), options=options)
        programs.append(program)
        assert kinds(program) == ["relu+truncate"]
        assert all(abs(term.multiplier) == 1 for op in program.linear_ops for term in op.terms)
        assert weights["0.weight"].shape == (8, 3, 3, 3)
    first, second = (
        dataclasses.replace(
            program,
            ops=tuple(
                dataclasses.replace(op, headroom_bits=1.0) if hasattr(op, "headroom_bits") else op
                for op in program.ops
            ),
        )
        for program in programs
    )
    assert program_to_bytes(first) == program_to_bytes(second)


def test_slopes_above_one_give_every_channel_a_third_part() -> None:
    prelu = nn.PReLU(4)
    prelu.weight.data = torch.tensor([0.5, 1.5, 0.0, 1.0])
    program, weights = compiled(nn.Sequential(conv(3, 4, 3), prelu))
    assert weights["0.weight"].shape == (12, 3, 3, 3)
    assert program.relu_count == 2 * 4 * 36 and program.truncation_count == 4 * 36
    assert [term.multiplier for term in program.linear_ops[-2].terms] == [1, 1, -1]


def test_parameters_are_weights_and_literals_are_multipliers() -> None:
    program, weights = compiled(nn.Sequential(conv(3, 4, 3), nn.ReLU(), Scaled(4)))
    (term,) = program.linear_ops[-1].terms
    assert isinstance(term.weighted, Convolution) and term.weighted.groups == 4
    assert weights[term.weighted.weight].shape == (4, 1, 1, 1)
    module = FromFunction(lambda m, x: 3 - 5 * functional.relu(m.a(x)) / 4, a=conv(3, 4, 3))
    program, _ = compiled(module)
    (term,) = program.linear_ops[-1].terms
    assert term.weighted is None and term.multiplier == -5
    assert program.linear_ops[-1].scale_bits == program.activation_ops[0].scale_bits + 2


def test_batch_norm_folds_where_it_can_and_is_weights_where_not() -> None:
    folded, _ = compiled(nn.Sequential(conv(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    assert len(folded.linear_ops) == 2 and kinds(folded) == ["relu"]
    apart, weights = compiled(nn.Sequential(nn.Flatten(), nn.ReLU(), nn.BatchNorm1d(192), nn.Linear(192, 3)))
    assert kinds(apart) == ["relu", "truncate"]
    (term,) = apart.linear_ops[1].terms
    assert isinstance(term.weighted, FullyConnected) and term.weighted.groups == 192
    assert weights[term.weighted.weight].shape == (192, 1)
    assert apart.linear_ops[1].mac_count == 192


def test_multiplications_of_groups_are_counted() -> None:
    program, _ = compiled(conv(4, 6, 3, groups=2, dilation=2), (4, 9, 9))
    assert program.mac_count == 6 * 5 * 5 * 2 * 9


def test_padding_before_a_convolution_merges_into_it() -> None:
    module = FromFunction(lambda m, x: m.c(functional.pad(x, (2, 0, 1, 3))), c=conv(3, 2, 3, padding=1))
    program, _ = compiled(module)
    (term,) = program.linear_ops[0].terms
    assert term.local == () and isinstance(term.weighted, Convolution)
    assert term.weighted.padding == (2, 4, 3, 1)


def test_a_tiny_summand_is_truncated_rather_than_made_too_fine() -> None:
    """Its scale would leave the weights after it too little room."""
    module = FromFunction(
        lambda m, x: m.c(functional.relu(m.a(x)) + functional.relu(m.b(x)) / 1024),
        a=conv(3, 4, 1),
        b=conv(3, 4, 1),
        c=conv(4, 2, 1),
    )
    program, _ = compiled(module)
    assert ActivationKind.TRUNCATE.value in kinds(program)
    assert np.max([op.window_bits for op in program.activation_ops]) <= 29
