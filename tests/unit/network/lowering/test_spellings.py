"""Spellings of linear maps and comparisons: graph and integer network answer as torch does."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.files.model_file import load_model
from pi_bench.network.graph import AddNode, ConvNode, LinearNode, TakeNode
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program.codec import program_from_bytes, program_to_bytes
from pi_bench.network.program.fixed_point import decode_output, encode_input
from pi_bench.report.export import describe

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional

from pi_bench.network.lowering import lower

SAMPLES = 4


class Spelled(nn.Module):
    """Has a few layers, and calls a function of itself and its input (batch, 4, 8, 10)."""

    def __init__(self, function: Callable[[Any, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.mirrored = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
        self.up = nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1)
        self.apart = nn.ConvTranspose2d(
            4, 6, (4, 3), stride=(3, 1), padding=(2, 0), dilation=(2, 1), groups=2, bias=False
        )
        self.head = nn.Linear(6, 5)
        self.register_buffer("chosen", torch.tensor([3, 0, 0, 2]))
        self.register_buffer("pixels", torch.rand(1, 4, 8, 10) + 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def six(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1)[:, :6]


resize, pad = functional.interpolate, functional.pad
SPELLINGS: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "transposed": lambda m, x: m.up(x),
    "transposed_apart": lambda m, x: m.apart(m.conv(x).relu()),
    "transposed_gaps": lambda m, x: functional.conv_transpose2d(x, m.up.weight, stride=4, output_padding=3),
    "nearest": lambda m, x: resize(m.conv(x), scale_factor=2),
    "nearest_to_size": lambda m, x: resize(x, size=(13, 5)),
    "nearest_exact": lambda m, x: resize(x, scale_factor=1.5, mode="nearest-exact"),
    "bilinear": lambda m, x: resize(m.conv(x).relu(), scale_factor=2, mode="bilinear"),
    "bilinear_3_2": lambda m, x: resize(x, scale_factor=(3, 2), mode="bilinear"),
    "bilinear_corners": lambda m, x: resize(x, size=(12, 20), mode="bilinear", align_corners=True),
    "bilinear_smaller": lambda m, x: resize(x, scale_factor=0.5, mode="bilinear"),
    "bicubic": lambda m, x: resize(x, scale_factor=2, mode="bicubic"),
    "area": lambda m, x: resize(x, size=(3, 3), mode="area"),
    "pad_reflect": lambda m, x: pad(x, (2, 1, 0, 3), mode="reflect"),
    "pad_circular": lambda m, x: pad(x, (2, 1, 0, 3), mode="circular"),
    "pad_replicate": lambda m, x: pad(x, (2, 1, 0, 3), mode="replicate"),
    "pad_number": lambda m, x: pad(x, (2, 1, 0, 3), value=1.5),
    "pad_channels": lambda m, x: pad(x, (0, 0, 0, 0, 1, 2)),
    "pad_cuts": lambda m, x: pad(x, (-1, 2, 1, -2, -1, 1)),
    "pad_of_rank_3": lambda m, x: pad(pad(x.flatten(2), (1, 2)), (1, 2), mode="reflect"),
    "pad_mode_of_conv": lambda m, x: m.mirrored(x),
    "flip": lambda m, x: torch.flip(x, (1, -1)),
    "roll": lambda m, x: torch.roll(x, (1, -2), (1, 3)),
    "index_select": lambda m, x: torch.index_select(x, 1, m.chosen),
    "index": lambda m, x: x[:, m.chosen],
    "index_list": lambda m, x: x[:, [3, 1]][:, :, [0, 2, 4]],
    "index_arange": lambda m, x: x[:, torch.arange(0, 4, 2)],
    "index_steps": lambda m, x: x[:, ::2, 1::3],
    "gather": lambda m, x: x.flatten(1).gather(1, m.chosen.expand(len(x), -1)),
    "repeat": lambda m, x: x.repeat(1, 2, 1, 1) + torch.tile(x, (1, 2, 1, 1)),
    "repeat_interleave": lambda m, x: x.repeat_interleave(2, 1),
    "expand": lambda m, x: x.mean(1, keepdim=True).expand(-1, 4, -1, -1),
    "broadcast_sum": lambda m, x: x + x.mean((2, 3), keepdim=True),
    "mean_mean": lambda m, x: m.conv(x).mean(3).mean(2),
    "mean_channels": lambda m, x: x.mean(1, keepdim=True),
    "sum_axes": lambda m, x: x.sum((1, 2)) / 8,
    "amin": lambda m, x: x.amin((2, 3)),
    "max_max": lambda m, x: x.max(3)[0].max(2).values,
    "matmul": lambda m, x: six(x) @ m.head.weight.t() + m.head.bias,
    "matmul_left": lambda m, x: m.head.weight[:, :4] @ x.flatten(2),
    "matmul_vector": lambda m, x: (six(x) @ m.head.weight[0])[:, None],
    "addmm": lambda m, x: torch.addmm(m.head.bias, six(x), m.head.weight.t(), alpha=2),
    "baddbmm": lambda m, x: torch.baddbmm(
        m.head.bias, six(x)[:, None], m.head.weight.t().expand(len(x), -1, -1)
    ),
    "einsum": lambda m, x: torch.einsum("bf,of->bo", six(x), m.head.weight),
    "einsum_map": lambda m, x: torch.einsum("bchw,oc->bohw", x, m.head.weight[:, :4]),
    "einsum_sum": lambda m, x: torch.einsum("bchw->bc", x) / 80,
    "linear_computed": lambda m, x: functional.linear(six(x), m.head.weight * 2 + 1, m.head.bias.abs()),
    "linear_on_map": lambda m, x: m.head(x[..., :6]),
    "maximum": lambda m, x: torch.maximum(m.conv(x), x),
    "minimum": lambda m, x: torch.minimum(m.conv(x), x),
    "max_of_zeros": lambda m, x: torch.max(x, torch.zeros(())),
    "min_of_six": lambda m, x: torch.minimum(x.relu(), torch.full((1,), 0.5)),
    "maximum_by_channel": lambda m, x: torch.maximum(x, m.conv.bias[:, None, None]),
    "minimum_by_channel": lambda m, x: torch.min(m.conv.bias[None, :, None, None], x),
    "clamp_of_tensors": lambda m, x: torch.clamp(x, min=torch.tensor(-0.2), max=torch.tensor(0.3)),
    "shift_of_pixels": lambda m, x: m.conv(x) + m.pixels,
    "factor_of_pixels": lambda m, x: m.conv(m.conv(x).relu() * m.pixels),
    "factor_and_shift_of_rows": lambda m, x: (x / m.pixels[0, 0, :, :1] - m.pixels[..., :1]).relu(),
    "zeros_of_pixels": lambda m, x: m.conv(x).relu() * (m.pixels > 1),
    "pixel_shuffle": lambda m, x: functional.pixel_shuffle(x, 2),
    "pixel_unshuffle": lambda m, x: functional.pixel_unshuffle(x, 2),
    "chunk": lambda m, x: torch.cat(x.chunk(2, 1)[::-1], 1),
    "split": lambda m, x: x.split([1, 3], 1)[1],
    "unbind": lambda m, x: sum(x.unbind(1)),
    "movedim": lambda m, x: x.movedim(1, 3).narrow(1, 1, 3),
}


@functools.cache
def lowered(case: str) -> tuple[Any, np.ndarray, np.ndarray]:
    torch.manual_seed(0)
    module, x = Spelled(SPELLINGS[case]).eval(), torch.randn(SAMPLES, 4, 8, 10)
    with torch.no_grad():
        expected = module(x).numpy()
    return lower(module, x[:1]), x.numpy(), expected


@pytest.mark.parametrize("case", SPELLINGS)
def test_it_is_what_torch_computes(case: str) -> None:
    graph, x, expected = lowered(case)
    size = np.abs(expected).max()
    np.testing.assert_allclose(outputs(graph, x), expected, rtol=1e-5, atol=1e-5 * size)
    graph = dataclasses.replace(graph, ranges=calibrate(graph, x))
    program, weights = compile_graph(graph, CompileOptions(batch=SAMPLES))
    program = program_from_bytes(program_to_bytes(program))
    run = run_reference(program, weights, encode_input(program, x))
    made = decode_output(program, run.values[program.output.id])
    assert run.out_of_range == [] and np.abs(made - expected).max() <= 0.02 * size


@pytest.mark.parametrize(
    "case", ["nearest", "bilinear", "bilinear_3_2", "pad_reflect", "flip", "pixel_shuffle"]
)
def test_public_maps_need_no_weights(case: str) -> None:
    graph, _, _ = lowered(case)
    weighted = [node.name for node in graph.nodes if isinstance(node, ConvNode | LinearNode)]
    assert weighted == (["conv"] if case in ("nearest", "bilinear") else [])


def test_a_transposed_convolution_multiplies_no_zeros() -> None:
    graph, _, _ = lowered("transposed")
    (node,) = (node for node in graph.nodes if isinstance(node, ConvNode))
    assert (node.name, node.stride, graph.parameters[node.weight].shape) == ("up", (1, 1), (24, 4, 2, 2))


def test_reversed_channels_are_one_choice() -> None:
    graph = lower(Spelled(lambda m, x: x.flip(1)), torch.zeros(1, 4, 8, 10))
    assert [node.positions for node in graph.nodes if isinstance(node, TakeNode)] == [(3, 2, 1, 0)]
    assert not any(isinstance(node, AddNode) for node in graph.nodes)


LAST_STEPS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "softmax": lambda y: y.softmax(-1),
    "log_softmax": lambda y: functional.log_softmax(y, dim=1),
    "sigmoid": torch.sigmoid,
}


@pytest.mark.parametrize("case", LAST_STEPS)
def test_the_last_step_is_left_to_the_client(case: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Spelled(lambda m, x: LAST_STEPS[case](m.head(six(x)) * 3))
    x = torch.randn(SAMPLES, 4, 8, 10)
    graph = pi_bench.export(module, x[:1], tmp_path / "m.pt", calibration=x)
    np.testing.assert_allclose(
        outputs(graph, x.numpy()), module.head(six(x)).detach() * 3, rtol=1e-5, atol=1e-6
    )
    assert [step["operator"] for step in load_model(tmp_path / "m.pt").meta["left_to_client"]] == [case]
    assert f"its last step, {case.replace('_', '-')}, is left out" in describe(graph, "m.pt")


def test_a_program_is_left_as_it_was() -> None:
    x = torch.zeros(1, 4, 8, 10)
    program = torch.export.export(Spelled(lambda m, x: torch.sigmoid(m.head(six(x)))).eval(), (x,))
    first, again = (lower(program, x) for _ in range(2))
    assert [step["operator"] for step in first.meta["left_to_client"]] == ["sigmoid"]
    assert (again.meta, again.nodes) == (first.meta, first.nodes)


CLASSES: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], list[str]]] = {
    "argmax": (lambda y: y.argmax(1), ["argmax"]),
    "kept axis": (lambda y: torch.argmax(y, dim=-1, keepdim=True), ["argmax"]),
    "index of max": (lambda y: y.max(1)[1], ["argmax"]),
    "rearranged": (lambda y: y.argmax(1).view(-1, 1).to(torch.float32), ["argmax"]),
    "of probabilities": (lambda y: y.softmax(1).argmax(1), ["softmax", "argmax"]),
}


@pytest.mark.parametrize("case", CLASSES)
def test_a_class_is_left_to_the_client(case: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    function, steps = CLASSES[case]
    module = Spelled(lambda m, x: function(m.head(six(x)) * 3))
    x = torch.randn(SAMPLES, 4, 8, 10)
    graph = pi_bench.export(module, x[:1], tmp_path / "m.pt", calibration=x)
    np.testing.assert_allclose(
        outputs(graph, x.numpy()), module.head(six(x)).detach() * 3, rtol=1e-5, atol=1e-6
    )
    assert [step["operator"] for step in graph.meta["left_to_client"]] == steps


@pytest.mark.parametrize(
    "function",
    [lambda y: y.argmax(), lambda y: y.argmax(0), lambda y: y.argmax(1) + 1, lambda y: y.argmin(1)],
)
def test_a_class_that_is_no_last_step_is_refused(
    function: Callable[[torch.Tensor], torch.Tensor], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    module = Spelled(lambda m, x: function(m.head(six(x))))
    x = torch.randn(SAMPLES, 4, 8, 10)
    with pytest.raises(ModelError, match=r"argm(ax|in).*cannot be lowered|the module answers \("):
        pi_bench.export(module, x[:1], tmp_path / "m.pt", calibration=x)


def test_a_softmax_that_something_reads_is_not_the_last_step() -> None:
    with pytest.raises(ModelError, match=r"softmax.*client applies softmax"):
        lower(Spelled(lambda m, x: x.flatten(1).softmax(1) * 2), torch.zeros(1, 4, 8, 10))


REFUSED: dict[str, tuple[Callable[[Any, torch.Tensor], torch.Tensor], str]] = {
    "input_statistics": (
        lambda m, x: functional.instance_norm(x),
        "instance_norm.* those of each input.*BatchNorm2d",
    ),
    "group_norm": (
        lambda m, x: functional.group_norm(x, 2),
        "group_norm.*the statistics of each input.*BatchNorm2d",
    ),
    "both_activations": (lambda m, x: x.flatten(2) @ x.flatten(2).mT, "matmul.*fixed weights"),
    "attention_einsum": (lambda m, x: torch.einsum("bchw,bdhw->bcd", x, x), "einsum.*parameters"),
    "index_of_two_axes": (lambda m, x: x[:, [0, 1], [1, 2]], "index.*one axis after the other"),
    "pad_infinity": (lambda m, x: pad(x, (1, 1), value=float("-inf")), "pad.*infinity.*pool"),
    "varied_bound": (
        lambda m, x: torch.maximum(x, torch.arange(10.0)),
        "maximum.*one number per channel",
    ),
    "mean_of_all": (lambda m, x: m.conv(x) - m.conv(x).mean(), r"mean.*name the axes"),
    "roll_all": (lambda m, x: torch.roll(x, 3), "roll.*name the axes"),
    "antialiased": (lambda m, x: resize(x, size=(3, 4), mode="bilinear", antialias=True), "antialias"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_private_counterpart_says_what_to_do(case: str) -> None:
    function, message = REFUSED[case]
    network = nn.Sequential(nn.Identity(), Spelled(function))
    with pytest.raises(ModelError, match=message) as caught:
        lower(network, torch.zeros(1, 4, 8, 10))
    assert "in module '1'" in str(caught.value) and "\n" not in str(caught.value)
