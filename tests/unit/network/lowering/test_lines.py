"""Layers of one dimension, and max-pools with dilation: graph and integer network answer as torch does."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError, PiBenchError
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.reference import run_reference
from pi_bench.network.graph import ReshapeNode
from pi_bench.network.graph.float_run import calibrate, outputs
from pi_bench.network.program.codec import program_from_bytes, program_to_bytes
from pi_bench.network.program.fixed_point import decode_output, encode_input

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional

from pi_bench.network.lowering import lower

LINE, MAP = (3, 20), (3, 13, 14)
SAMPLES = 4
resize, pad = functional.interpolate, functional.pad


class Called(nn.Module):
    """Calls a function of itself and its input; has a convolution, a normalization and a mask."""

    def __init__(self, function: Callable[[Any, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function
        self.conv = nn.Conv1d(3, 4, 3, padding=1)
        self.next = nn.Conv1d(4, 4, 3, padding=1)
        self.norm = nn.BatchNorm1d(4)
        self.register_buffer("mask", torch.rand(4, 20) > 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def sensor() -> nn.Module:
    """Has what networks of time series have."""
    return nn.Sequential(
        *(nn.Conv1d(3, 8, 7, stride=2, padding=3, bias=False), nn.BatchNorm1d(8), nn.ReLU()),
        *(nn.MaxPool1d(3, 2, 1), nn.Conv1d(8, 8, 3, padding="same", dilation=2, groups=2)),
        *(nn.BatchNorm1d(8), nn.PReLU(8), nn.AvgPool1d(2), nn.Conv1d(8, 4, 1), nn.ReLU6()),
        *(nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(4, 5)),
    )


def block(m: Any, x: torch.Tensor) -> torch.Tensor:
    y = m.conv(x)
    return functional.relu(m.norm(m.next(functional.relu(y))) + y).mean(-1)


def causal(m: Any, x: torch.Tensor) -> torch.Tensor:
    y = functional.relu(m.conv(pad(x, (2, 0))))
    return functional.relu(m.next(y))[:, :, :-2].amax(2)


CASES: dict[str, tuple[nn.Module, tuple[int, ...]]] = {
    "sensor": (sensor(), (3, 60)),
    "residual block": (Called(block), LINE),
    "causal": (Called(causal), LINE),
    "masked ReLU": (Called(lambda m, x: torch.where(m.mask, m.conv(x).relu(), m.conv(x)).flatten(1)), LINE),
    "quadratic": (Called(lambda m, x: 0.1 * m.conv(x) ** 2 + 0.3 * m.conv(x)), LINE),
    "normalized input": (nn.Sequential(nn.BatchNorm1d(3), nn.Conv1d(3, 4, 3), nn.ReLU()), LINE),
    "joined channels": (Called(lambda m, x: torch.cat([m.conv(x).relu(), m.conv(x)], 1)), LINE),
    "joined lengths": (Called(lambda m, x: torch.cat([m.conv(x).relu(), m.conv(x)], 2)), LINE),
    "reflected": (Called(lambda m, x: m.conv(pad(x, (2, 3), mode="reflect")).relu()), LINE),
    "repeated edge": (Called(lambda m, x: m.conv(pad(x, (2, 3), mode="replicate")).relu()), LINE),
    "circular": (nn.Conv1d(3, 4, 3, padding=1, padding_mode="circular"), LINE),
    "pad for a max-pool": (
        Called(lambda m, x: functional.max_pool1d(pad(x, (1, 0), value=-torch.inf), 2)),
        LINE,
    ),
    "nearest": (Called(lambda m, x: resize(m.conv(x), scale_factor=2)), LINE),
    "linear": (Called(lambda m, x: resize(m.conv(x).relu(), size=27, mode="linear")), LINE),
    "transposed": (
        nn.Sequential(
            *(nn.Conv1d(3, 4, 3), nn.ReLU()),
            nn.ConvTranspose1d(4, 6, 4, stride=2, padding=1, output_padding=1, groups=2, dilation=2),
            *(nn.ReLU(), nn.Conv1d(6, 2, 1)),
        ),
        LINE,
    ),
    "every second": (Called(lambda m, x: m.next(m.conv(x)[:, :, 1::2])), LINE),
    "channels last": (Called(lambda m, x: m.conv(x.transpose(1, 2)).relu().transpose(1, 2).mean(1)), (20, 3)),
    "adaptive": (nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.AdaptiveAvgPool1d(3)), LINE),
    "adaptive maximum": (nn.Sequential(nn.Conv1d(3, 4, 3, padding=1), nn.AdaptiveMaxPool1d(5)), LINE),
    "average": (nn.AvgPool1d(3, 2, 1, ceil_mode=True, count_include_pad=False), LINE),
    "statistics of training": (nn.InstanceNorm1d(3, track_running_stats=True), LINE),
    "matrix": (nn.Sequential(nn.Linear(20, 8), nn.ReLU(), nn.Conv1d(3, 4, 3)), LINE),
    "dilated line": (nn.Sequential(nn.Conv1d(3, 4, 3), nn.ReLU(), nn.MaxPool1d(3, 2, 1, dilation=3)), LINE),
    **{
        f"dilated {arguments}": (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(*arguments)), MAP)
        for arguments in [
            (2, 1, 1, 2),
            (3, 2, (1, 0), (2, 1), False, True),
            ((2, 3), (1, 2), 1, (3, 2)),
            (3, 3, 1, 3, False, True),
            (1, 1, 0, 2),
        ]
    },
}


@functools.cache
def lowered(case: str) -> tuple[Any, np.ndarray, np.ndarray]:
    torch.manual_seed(0)
    module, shape = CASES[case]
    for part in module.modules():
        if getattr(part, "running_mean", None) is not None:
            nn.init.uniform_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
    x = torch.randn(SAMPLES, *shape)
    with torch.no_grad():
        expected = module.eval()(x).numpy()
    return lower(module, x[:1]), x.numpy(), expected


@pytest.mark.parametrize("case", CASES)
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


@pytest.mark.slow
def test_no_reshapes_lie_between_layers_of_one_dimension() -> None:
    """Else a batch normalization would not fold, and a factor per channel would end there."""
    graph, _, _ = lowered("sensor")
    reshapes = [node for node in graph.nodes if isinstance(node, ReshapeNode)]
    assert [node.name for node in reshapes] == ["input.map"]
    assert [node.name for node in graph.nodes][2:-1] == [f"{i}" for i in range(13)]
    twin, _, _ = lowered("residual block")
    assert [node.name for node in twin.nodes][:5] == ["input", "input.map", "conv", "relu", "next"]


@pytest.mark.process
def test_a_private_run_of_lines(tmp_path: Path) -> None:
    """Several inputs (count, channels, length) run together; one without a batch axis runs alone."""
    module, x = sensor().eval(), torch.randn(64, 3, 60)
    pi_bench.export(module, x[:1], tmp_path / "m.pt", calibration=x, fidelity=99)
    for inputs, batch in ((x[:3].numpy(), 3), (x[0].numpy(), 1)):
        result = pi_bench.measure(tmp_path / "m.pt", inputs=inputs, runs=1, warmup=0)
        assert result.verification is not None and result.verification.passed
        assert result.network.input_shape == [batch, 3, 60]


def test_a_window_of_padding_alone_is_refused() -> None:
    module = nn.MaxPool2d(2, 2, 1, dilation=3, ceil_mode=True)
    with pytest.raises(ModelError, match=r"max_pool2d.* nothing but padding; give it less padding"):
        lower(module, torch.zeros(1, 3, 2, 8))


@pytest.mark.parametrize("calibration", [None, torch.ones(2, 3, 8, 8)])
def test_one_image_without_its_batch_axis_is_told(calibration: Any, tmp_path: Path) -> None:
    image = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 2))
    with (
        warnings.catch_warnings(action="ignore"),
        pytest.raises(PiBenchError, match=r"add the axis that is missing"),
    ):
        pi_bench.export(image, torch.zeros(3, 8, 8), tmp_path / "m.pt", calibration=calibration)
