"""Masked ReLUs as people write them: each becomes one ReLU node with a boolean mask."""

import re
from collections.abc import Callable

import numpy as np
import pytest

from pi_bench.errors import ModelError
from pi_bench.network.graph import ReluNode
from pi_bench.network.graph.float_run import outputs

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional

from pi_bench.network.lowering import lower

SHAPE = (4, 6, 5)
Formula = Callable[["Activation", torch.Tensor], torch.Tensor]


class Activation(nn.Module):
    """A masked ReLU in a manner of its own; `mask` is a parameter or a buffer."""

    def __init__(self, mask: torch.Tensor, formula: Formula, *, buffer: bool = False) -> None:
        super().__init__()
        self.formula = formula
        if buffer:
            self.register_buffer("mask", mask)
        else:
            self.mask = nn.Parameter(mask, requires_grad=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.formula(self, x)


class Network(nn.Module):
    def __init__(self, activation: nn.Module) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.act = activation
        self.head = nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.act(self.conv(x)))


def in_place(m: Activation, x: torch.Tensor) -> torch.Tensor:
    linear = x * (1 - m.mask)
    out = functional.relu(x, inplace=True)
    out *= m.mask
    out += linear
    return out


FORMULAS: dict[str, Formula] = {
    "snl": lambda m, x: m.mask * functional.relu(x) + (1 - m.mask) * x,
    "other_order": lambda m, x: x * (1.0 - m.mask) + torch.relu(x).mul(m.mask),
    "torch_functions": lambda m, x: torch.add(
        torch.mul(m.mask, x.relu()), torch.mul(torch.sub(1, m.mask), x)
    ),
    "negated_mask": lambda m, x: m.mask * torch.relu(x) + (-m.mask + 1) * x,
    "minus": lambda m, x: torch.relu(x) * m.mask - x * (m.mask - 1),
    "difference": lambda m, x: x + m.mask * (torch.relu(x) - x),
    "difference_from_relu": lambda m, x: torch.relu(x) - (1 - m.mask) * (torch.relu(x) - x),
    "where": lambda m, x: torch.where(m.mask.bool(), torch.relu(x), x),
    "where_compared": lambda m, x: torch.where(m.mask < 0.5, x, functional.relu(x)),
    "lerp": lambda m, x: torch.lerp(x, torch.relu(x), m.mask.expand_as(x)),
    "addcmul": lambda m, x: torch.addcmul(x, m.mask, torch.relu(x) - x),
    "in_place": in_place,
    "threshold": lambda m, x: (m.mask > 0.5).float() * torch.relu(x) + (m.mask <= 0.5).float() * x,
    "rounded": lambda m, x: torch.round(m.mask) * torch.relu(x) + (1 - torch.round(m.mask)) * x,
    "straight_through": lambda m, x: (
        (hard := ((m.mask > 0.5).float() - m.mask).detach() + m.mask) * torch.relu(x) + (1 - hard) * x
    ),
    "clamped": lambda m, x: m.mask.clamp(0, 1) * torch.relu(x) + (1 - m.mask.clamp(0, 1)) * x,
    "logical": lambda m, x: m.mask.bool().logical_not().to(x.dtype) * x + m.mask.type_as(x) * torch.relu(x),
    "copied": lambda m, x: (m.mask * torch.relu(x)).clone() + ((1 - m.mask) * x).contiguous(),
    "ones": lambda m, x: m.mask * torch.relu(x) + (torch.ones_like(x) - m.mask) * x,
    "halves": lambda m, x: (
        m.mask * torch.relu(x)
        + (torch.full_like(2 * x, 1.0) - m.mask) * torch.where(m.mask.bool(), torch.zeros_like(-x), x)
    ),
    "divided": lambda m, x: (2 * m.mask * torch.relu(x) + (2 - 2 * m.mask) * x) / 2,
}


def a_mask(shape: tuple[int, ...], seed: int = 5) -> torch.Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5).float()


def seeded(module: nn.Module) -> nn.Module:
    generator = torch.Generator().manual_seed(6)
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight, generator=generator)
            nn.init.normal_(part.bias, generator=generator)
    return module


def lowered(module: nn.Module, batch: int = 1):
    """The graph, after its values were compared with the module's."""
    x = torch.randn(3, 3, *SHAPE[1:], generator=torch.Generator().manual_seed(7))
    graph = lower(seeded(module), x[:batch])
    with torch.no_grad():
        expected = module.eval()(x.clone()).numpy()
    np.testing.assert_allclose(outputs(graph, x.numpy()), expected, rtol=1e-4, atol=1e-5)
    return graph


class Chain(nn.Module):
    """One convolution and one masked ReLU for each formula; names tell which."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 1)
        for index, (name, formula) in enumerate(FORMULAS.items()):
            self.add_module(name, Activation(a_mask((1, *SHAPE), index), formula, buffer=index % 2 == 1))
            self.add_module(f"{name}_conv", nn.Conv2d(4, 4, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        for name in FORMULAS:
            x = self.get_submodule(f"{name}_conv")(self.get_submodule(name)(x))
        return x


@pytest.mark.slow
def test_each_way_of_writing_it_is_one_masked_relu() -> None:
    module = Chain()
    graph = lowered(module, batch=2)
    assert len(graph.nodes) == 2 * len(FORMULAS) + 3
    relus = {node.name: node for node in graph.nodes if isinstance(node, ReluNode)}
    assert list(relus) == [f"{name}.masked_relu" for name in FORMULAS]
    for name in FORMULAS:
        mask = module.get_submodule(name).mask[0].numpy() == 1
        np.testing.assert_array_equal(graph.masks[relus[f"{name}.masked_relu"].mask], mask, err_msg=name)


def test_masks_of_pixels_channels_and_layers() -> None:
    masks = [a_mask(shape) for shape in [(1, *SHAPE), SHAPE, (4, 1, 1), (1, 4, 1, 1), (6, 5), ()]]
    masks += [torch.zeros(1, *SHAPE), torch.ones(1, *SHAPE)]
    layers = [[nn.Conv2d(4, 4, 1), Activation(mask, FORMULAS["snl"])] for mask in masks]
    graph = lowered(nn.Sequential(nn.Conv2d(3, 4, 1), *(part for pair in layers for part in pair)))
    assert graph.relu_count == sum(int(mask.expand(1, *SHAPE).sum()) for mask in masks)
    relus = [node for node in graph.nodes if isinstance(node, ReluNode)]
    whole = [mask for mask in masks if mask.all()]
    assert len(relus) == sum(bool(mask.any()) for mask in masks) and relus[-1].mask is None
    assert len(graph.masks) == len(relus) - len(whole)


def test_boolean_buffers_and_features() -> None:
    class Head(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(90, 7), nn.Linear(7, 2)
            self.register_buffer("keep", torch.tensor([1, 0, 1, 1, 0, 0, 1], dtype=torch.bool))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.first(x.flatten(1))
            return self.second(torch.where(self.keep, y.relu(), y))

    assert lowered(Head()).relu_count == 4


def test_a_residual_sum_inside_the_formula() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 1), nn.Conv2d(4, 2, 1)
            self.alpha = nn.Parameter(a_mask((1, *SHAPE)))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.a(x)
            y = self.alpha * torch.relu(y) + self.b(x) + (1 - self.alpha) * y
            return self.c(y)

    graph = lowered(Block())
    assert graph.relu_count == int(a_mask(SHAPE).sum())


def test_a_module_used_twice_and_a_scaled_input() -> None:
    act = Activation(a_mask((1, *SHAPE)), FORMULAS["difference"])

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.act = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), act

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.act(-2 * self.b(self.act(0.5 * self.a(x) - 1)))

    graph = lowered(Twice())
    assert [node.name for node in graph.nodes if isinstance(node, ReluNode)] == [
        "act.masked_relu",
        "act.masked_relu_2",
    ]


def test_weights_computed_from_parameters() -> None:
    class Pruned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))
            self.register_buffer("keep", torch.arange(4 * 27).reshape(4, 3, 3, 3) % 3 == 0)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
            return functional.conv2d(x, weight * self.keep, padding=1)

    graph = lowered(Pruned())
    ((name, weight),) = graph.parameters.items()
    assert name == "mul" and np.count_nonzero(weight) == 36


def test_a_mask_that_is_not_binary_is_refused_with_what_it_holds() -> None:
    mask = torch.ones(1, *SHAPE)
    mask[0, 0, 0, :3] = torch.tensor([0.25, 0.0, 0.75])
    message = r"module 'act'.*: 2 of 120 elements .* neither 0 nor 1 .*between 0 and 1\); binarize.*finetune"
    with pytest.raises(ModelError, match=message):
        lower(Network(Activation(mask, FORMULAS["snl"])), torch.zeros(1, 3, *SHAPE[1:]))
    mask[0, 0, 0, 0] = float("nan")
    with pytest.raises(ModelError):
        lower(Network(Activation(mask, FORMULAS["snl"])), torch.zeros(1, 3, *SHAPE[1:]))


REFUSED: dict[str, tuple[Formula, str]] = {
    "batch": (
        lambda m, x: x * torch.tensor([1.0, 2.0]).view(2, 1, 1, 1),
        "samples.*axis of 1",
    ),
    "random": (lambda m, x: x * torch.rand(SHAPE), "rand.*before export"),
    "complex": (lambda m, x: (x * torch.tensor(1j)).real, "complex"),
    "broadcast": (lambda m, x: x.mean((2, 3), keepdim=True) * m.mask, "broadcasts an activation"),
    "by_zero": (lambda m, x: x / (m.mask * 0), "divides by zero"),
    "constant": (lambda m, x: x * 0 + m.mask, "does not depend on the network's input"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_products_are_refused_with_advice(case: str) -> None:
    formula, message = REFUSED[case]
    with pytest.raises(ModelError, match=message) as caught:
        lower(Network(Activation(a_mask((1, *SHAPE)), formula)), torch.zeros(2, 3, *SHAPE[1:]))
    assert not re.search("\n", str(caught.value))
