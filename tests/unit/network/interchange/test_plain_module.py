"""Wrapped modules and weights that torch computes from others are exported as the plain network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError
from pi_bench.network.graph.float_run import outputs

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn.utils import parametrizations, prune, spectral_norm, weight_norm

from pi_bench.network.interchange.source import network_name

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning", "ignore:.*torch.jit")


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 4, 3), nn.Linear(144, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.conv(x)).flatten(1))


class Lightning(nn.Module):
    """Has its network as `model`, with a loss and the attributes that a trainer leaves there."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.criterion, self.trainer = model, nn.CrossEntropyLoss(), None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class Gated(nn.Module):
    """A parametrization of the user's own."""

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight * (weight.abs() > 0.05)


def changed(change: Callable[[Network], object]) -> nn.Module:
    network = Network()
    change(network)
    return network


def pruned(network: Network) -> None:
    prune.l1_unstructured(network.conv, "weight", amount=0.5)
    prune.ln_structured(network.conv, "weight", amount=0.5, n=2, dim=0)
    prune.random_unstructured(network.head, "bias", amount=2)


def after_training(network: Network) -> None:
    spectral_norm(network.conv)
    network.train()(torch.ones(2, 3, 8, 8)).sum().backward()


MODULES: dict[str, Callable[[], nn.Module]] = {
    "data_parallel": lambda: nn.DataParallel(Network()),
    "compiled": lambda: torch.compile(nn.DataParallel(Network())),
    "inner": lambda: nn.Sequential(
        nn.DataParallel(nn.Conv2d(3, 4, 3)), torch.compile(nn.ReLU(), backend="eager")
    ),
    "lightning": lambda: Lightning(Network()),
    "averaged": lambda: torch.optim.swa_utils.AveragedModel(Network()),
    "weight_norm": lambda: changed(lambda m: parametrizations.weight_norm(m.conv)),
    "weight_norm_hook": lambda: changed(lambda m: weight_norm(m.conv)),
    "spectral_norm": lambda: changed(lambda m: parametrizations.spectral_norm(m.conv)),
    "spectral_norm_hook": lambda: changed(after_training),
    "orthogonal": lambda: changed(lambda m: parametrizations.orthogonal(m.head)),
    "own": lambda: changed(
        lambda m: nn.utils.parametrize.register_parametrization(m.conv, "weight", Gated())
    ),
    "pruned": lambda: changed(pruned),
    "instance_norm": lambda: nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.InstanceNorm2d(4, affine=True, track_running_stats=True), nn.ReLU()
    ),
}


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=pytest.mark.slow if case == "compiled" else ()) for case in MODULES]
)
def test_the_graph_is_the_plain_network(case: str, tmp_path: Path) -> None:
    torch.manual_seed(3)
    module, x = MODULES[case](), torch.randn(6, 3, 8, 8)
    for part in module.modules():  # statistics and weights that differ from those of a fresh module
        for value in [*part._buffers.values(), *part._parameters.values()]:
            if (
                value is not None
                and value.is_floating_point()
                and part.__class__.__name__ == "InstanceNorm2d"
            ):
                value.data.uniform_(0.5, 1.5)
    modes = [part.training for part in module.modules()]
    names = list(module.state_dict())
    graph = pi_bench.export(module, x[:1], tmp_path / "m.pt", calibration=x)
    assert [part.training for part in module.modules()] == modes and list(module.state_dict()) == names
    inner = getattr(module, "_orig_mod", module)
    with torch.no_grad():
        expected = getattr(inner, "module", inner).eval()(x).numpy()
    np.testing.assert_allclose(outputs(graph, x.numpy()), expected, rtol=1e-4, atol=1e-5)


def test_wrappers_leave_no_trace_in_names(tmp_path: Path) -> None:
    module, x = torch.compile(nn.DataParallel(Network())), torch.randn(2, 3, 8, 8)
    graph = pi_bench.export(module, x[:1], tmp_path / "m.pt", calibration=x)
    assert [node.name for node in graph.nodes] == ["input", "conv", "relu", "flatten", "head", "output"]
    assert network_name(module, "file") == graph.meta["name"] == "Network"


def test_a_script_module_says_what_to_give(tmp_path: Path) -> None:
    x = torch.randn(2, 3, 8, 8)
    with pytest.raises(ModelError, match="TorchScript module: give the torch module that it was made of"):
        pi_bench.export(torch.jit.trace(Network().eval(), x), x[:1], tmp_path / "m.pt", calibration=x)
