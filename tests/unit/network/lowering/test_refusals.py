"""Impossible networks are refused in one line: operator, module path, what to do."""

from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pi_bench
from pi_bench.errors import ModelError

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional

Answer = namedtuple("Answer", "logits features")


class Block(nn.Module):
    """Does something of its own, inside a network."""

    def __init__(self, function: Callable[[nn.Module, torch.Tensor], Any]) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(3, 3, 3, padding=1)
        self.bn = nn.BatchNorm2d(3)
        self.embedding = nn.Embedding(2, 3)

    def forward(self, x: torch.Tensor) -> Any:
        return self.function(self, x)


class TwoInputs(nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return x + y


def inside(function: Callable[[Any, torch.Tensor], Any]) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 3, 1), Block(function), nn.Flatten())


def alone(function: Callable[[Any, torch.Tensor], Any]) -> nn.Module:
    return Block(function)


def looped(m: Any, x: torch.Tensor) -> torch.Tensor:
    for _ in range(int(x.abs().max())):
        x = m.conv(x)
    return x


def rows(m: Any, x: torch.Tensor) -> torch.Tensor:
    return m.embedding((x > 0).long()).sum(-1)


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "branch": (
        inside(lambda m, x: x if x.sum() > 0 else -x),
        "torch.export cannot trace module '1'.*Python branches",
    ),
    "loop": (inside(looped), "torch.export cannot trace module '1'.*Python branches"),
    "branch_of_all": (
        alone(lambda m, x: m.conv(x) if x.sum() > 0 else x),
        "cannot trace the network: .*branches",
    ),
    "cond": (
        inside(lambda m, x: torch.cond(x.sum() > 0, lambda y: m.conv(y), lambda y: -y, (x,))),
        r"cond in module '1' cannot be lowered: control flow .*write forward\(\) without it",
    ),
    "number": (
        inside(lambda m, x: x * x.mean().item()),
        "item.* in module '1'.*depends on the input's values",
    ),
    "shape": (
        inside(lambda m, x: x[:, torch.nonzero(x.mean((0, 2, 3)))[:, 0]]),
        "nonzero.* in module '1'.*keep shapes fixed",
    ),
    "complex": (
        inside(lambda m, x: torch.fft.fft2(x).abs()),
        "fft2.* in module '1'.*complex numbers are not",
    ),
    "imaginary": (inside(lambda m, x: torch.complex(x, x).real), "complex.* '1'.*keep activations float32"),
    "integer": (inside(lambda m, x: x.long().float()), "'1'.*torch.int64; keep activations float32"),
    "half": (inside(lambda m, x: x.half().float()), "'1'.*torch.float16; keep activations float32"),
    "indices": (inside(rows), "gt.* in module '1'.*no private counterpart but ReLU"),
    "mask_of_input": (inside(lambda m, x: torch.where(x > 0.5, x, -x)), "gt.* in module '1'"),
    "gate": (
        inside(lambda m, x: x * m.conv(x)),
        "mul.* in module '1'.*products of two different",
    ),
    "attention": (
        inside(lambda m, x: functional.scaled_dot_product_attention(x, x, x)),
        "attention.* in module '1'.*convolutional network",
    ),
    "training": (
        inside(lambda m, x: functional.batch_norm(x, m.bn.running_mean, m.bn.running_var, training=True)),
        "batch_norm.* in module '1'.*evaluation",
    ),
    "noise": (inside(lambda m, x: x + torch.randn_like(x)), "randn_like.* in module '1'.*no random numbers"),
    "sort": (inside(lambda m, x: x.sort(1)[0]), "sort.* in module '1'.*logits itself"),
    "two_inputs": (TwoInputs(), "missing 1 required positional argument: 'y'; a network takes one input"),
    "tuple": (alone(lambda m, x: (m.conv(x), x)), "answers with a tuple; wrap it .*one tensor"),
    "tuple_of_one": (alone(lambda m, x: (m.conv(x),)), "answers with a tuple"),
    "mapping": (alone(lambda m, x: {"logits": m.conv(x)}), "answers with a dict"),
    "named": (alone(lambda m, x: Answer(m.conv(x), x)), "answers with an Answer"),
    "nothing": (alone(lambda m, x: None), "answers with a NoneType"),
    "class_number": (alone(lambda m, x: m.conv(x).argmax(1) + 1), "argmax.* takes the largest logit itself"),
    "one_row": (alone(lambda m, x: m.conv(x).flatten()), r"answers \(192,\) to 1 inputs; \(batch, outputs\)"),
    "constant": (alone(lambda m, x: m.conv.weight[:1]), "output does not depend on its input"),
}


@pytest.mark.filterwarnings(
    "ignore:Guards may run slower on Python 3.13.0"
)  # torch, about that patch release
@pytest.mark.parametrize(
    "case",
    [pytest.param(case, marks=pytest.mark.slow if case in ("cond", "shape") else ()) for case in REFUSED],
)
def test_refused(case: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    module, message = REFUSED[case]
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    with pytest.raises(ModelError, match=message) as caught:
        pi_bench.export(module, x[:1], tmp_path / "m.pt", calibration=x)
    assert "\n" not in str(caught.value) and not (tmp_path / "m.pt").exists()
    assert capfd.readouterr().err == ""


def test_a_module_that_counts_its_calls_is_no_reason(tmp_path: Path) -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, 1)
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return self.conv(x)

    x = torch.randn(2, 3, 4, 4)
    graph = pi_bench.export(Counting(), x[:1], tmp_path / "m.pt", calibration=x)
    assert [node.name for node in graph.nodes] == ["input", "conv", "output"]


@pytest.mark.parametrize(
    ("written", "named"),
    [
        (
            lambda m, x: x * torch.sigmoid(x),
            r"activation SiLU \(x \* sigmoid\(x\), also called swish\), here as",
        ),
        (lambda m, x: 0.5 * x * (1 + torch.erf(x / 1.414214)), "activation GELU, here as erf"),
        (
            lambda m, x: 0.5 * x * (1 + torch.tanh(0.7979 * (x + 0.0447 * x**3))),
            "activation GELU, here as tanh",
        ),
        (lambda m, x: x * torch.tanh(functional.softplus(x)), "activation Mish"),
        (lambda m, x: x * functional.relu6(x + 3) / 6, r"activation Hardswish \(x \* relu6"),
        (lambda m, x: x * functional.hardsigmoid(x), "activation Hardswish"),
        (lambda m, x: x / 6 * (3 + x).clamp(0, 6), "activation Hardswish"),
        (lambda m, x: functional.hardswish(x), "operator hardswish"),
        (lambda m, x: x * torch.sigmoid(m.conv(x)), "operator sigmoid"),
        (lambda m, x: torch.tanh(m.conv(x)), "operator tanh"),
    ],
)
def test_the_activation_that_was_written_is_named(
    written: Callable[[Any, torch.Tensor], Any], named: str, tmp_path: Path
) -> None:
    x = torch.randn(2, 3, 6, 6)
    with pytest.raises(ModelError, match=rf"^{named}.* in module '1' cannot be lowered: use torch.nn.ReLU"):
        pi_bench.export(inside(written), x[:1], tmp_path / "m.pt", calibration=x)
