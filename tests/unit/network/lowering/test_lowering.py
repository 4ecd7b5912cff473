"""Small torch modules through torch.export to the float graph."""

from collections.abc import Callable

import numpy as np
import pytest

from pi_bench.errors import ModelError
from pi_bench.network.graph import operator_name
from pi_bench.network.graph.float_run import outputs

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional

from pi_bench.network.lowering import lower


class FromFunction(nn.Module):
    def __init__(self, forward: Callable[..., torch.Tensor], **parts: nn.Module) -> None:
        super().__init__()
        self.function = forward
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self, x)


def conv(**options: object) -> nn.Conv2d:
    return nn.Conv2d(3, 4, 3, **{"padding": 1, **options})


def inplace_then_reuse(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = m.a(x)
    z = functional.relu(y, inplace=True)
    return y + z  # both are the rectified value


def residual(m: nn.Module, x: torch.Tensor) -> torch.Tensor:
    y = functional.relu(m.bn(m.a(x)))
    y += m.short(x)
    return m.fc(torch.relu_(y).mean((2, 3)))


SOUND: dict[str, tuple[nn.Module, list[str]]] = {
    "sequential": (
        nn.Sequential(
            conv(), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()
        ),
        ["input", "conv", "batch_norm", "relu", "avg_pool", "flatten", "output"],
    ),
    "inplace_alias": (
        FromFunction(inplace_then_reuse, a=conv()),
        ["input", "conv", "relu", "add", "output"],
    ),
    "residual": (
        FromFunction(
            residual, a=conv(stride=2), bn=nn.BatchNorm2d(4), short=conv(stride=2), fc=nn.Linear(4, 5)
        ),
        [
            "input",
            "conv",
            "batch_norm",
            "relu",
            "conv",
            "add",
            "relu",
            "avg_pool",
            "flatten",
            "linear",
            "output",
        ],
    ),
    "view": (
        FromFunction(
            lambda m, x: m.fc(functional.avg_pool2d(m.a(x), 4).view(x.size(0), -1)),
            a=conv(padding="same", bias=False),
            fc=nn.Linear(16, 5),
        ),
        ["input", "conv", "avg_pool", "flatten", "linear", "output"],
    ),
    "pools": (
        FromFunction(
            lambda m, x: functional.adaptive_avg_pool2d(
                functional.avg_pool2d(m.drop(m.a(x)), 3, stride=1, padding=1), (2, 4)
            ).reshape(x.shape[0], 32),
            a=conv(),
            drop=nn.Dropout(0.5),
        ),
        ["input", "conv", "avg_pool", "avg_pool", "flatten", "output"],
    ),
    "reused_module": (
        FromFunction(
            lambda m, x: m.r(m.b(m.i(m.r(m.a(x))))),
            a=conv(),
            b=nn.Conv2d(4, 4, 1),
            r=nn.ReLU(),
            i=nn.Identity(),
        ),
        ["input", "conv", "relu", "conv", "relu", "output"],
    ),
}


@pytest.mark.parametrize("case", SOUND)
def test_the_graph_computes_what_the_module_computes(case: str) -> None:
    module, operators = SOUND[case]
    torch.manual_seed(3)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.running_mean)
            nn.init.uniform_(part.running_var, 0.5, 2)
            nn.init.uniform_(part.weight, -1, 1)
    module.train()
    x = torch.randn(2, 3, 8, 8)
    graph = lower(module, x[:1])
    assert all(part.training for part in module.modules()), "the module's mode was changed"
    assert [operator_name(node) for node in graph.nodes] == operators
    with torch.no_grad():
        expected = module.eval()(x).numpy()
    np.testing.assert_allclose(outputs(graph, x.numpy()), expected, rtol=1e-4, atol=1e-5)


def test_names_are_module_paths() -> None:
    graph = lower(SOUND["residual"][0], torch.zeros(1, 3, 8, 8), name="tiny", labels=list("abcde"))
    assert [node.name for node in graph.nodes][:6] == ["input", "a", "bn", "relu", "short", "add"]
    assert sorted(graph.parameters)[:2] == ["a.bias", "a.weight"]
    assert graph.meta["name"] == "tiny" and graph.labels == tuple("abcde")
    reused = lower(SOUND["reused_module"][0], torch.zeros(1, 3, 8, 8))
    assert [node.name for node in reused.nodes] == ["input", "a", "r", "b", "r_2", "output"]


REFUSED: dict[str, tuple[nn.Module, str]] = {
    "uneven_max": (nn.Sequential(conv(), nn.AdaptiveMaxPool2d(3)), "divide"),
    "lp_pool": (FromFunction(lambda m, x: functional.lp_pool2d(x, 2, 2)), "cannot be lowered"),
    "gelu": (nn.Sequential(conv(), nn.GELU()), "gelu.*'1'.*ReLU"),
    "sigmoid": (
        FromFunction(lambda m, x: torch.sigmoid(m.a(x)) + 1, a=conv()),
        r"sigmoid.*forward\(\).*ReLU",
    ),
    "softmax": (nn.Sequential(conv(), nn.Softmax(1), nn.ReLU()), "softmax.*logits"),
    "conv3d": (FromFunction(lambda m, x: m.c(x[:, None])[:, 0], c=nn.Conv3d(1, 1, 1)), "conv3d.*Conv2d"),
    "layer_norm": (nn.Sequential(nn.Flatten(), nn.LayerNorm(192)), "norm.*BatchNorm2d"),
    "no_statistics": (nn.BatchNorm2d(3, track_running_stats=False), "whose statistics are fixed"),
    "product": (
        FromFunction(lambda m, x: m.a(x) * m.a(x), a=conv()),
        "mul.*products of two different activations",
    ),
    "jump": (nn.Threshold(0.5, 0.0), "threshold.*jumps"),
    "steep": (nn.LeakyReLU(1.5), "slope is 1.5"),
    "empty_clamp": (FromFunction(lambda m, x: x.clamp(2, 1)), "second must be larger"),
    "batch_to_channels": (FromFunction(lambda m, x: x.reshape(1, -1, 8, 8)), "leave the batch axis"),
    "batch_moved": (FromFunction(lambda m, x: x.transpose(0, 1)), "batch axis"),
    "batch_cut": (FromFunction(lambda m, x: x[:1]), "batch axis"),
    "batch_joined": (FromFunction(lambda m, x: torch.cat([x, x])), "batch axis"),
    "always_dropout": (FromFunction(lambda m, x: functional.dropout(x, 0.5, True)), "dropout"),
    "branch": (FromFunction(lambda m, x: x if x.sum() > 0 else -x), "torch.export"),
    "two_outputs": (FromFunction(lambda m, x: (x, m.a(x)), a=conv()), "one of each"),
    "median": (FromFunction(lambda m, x: x.median(2)[0]), "median.*cannot be lowered"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_lowered_is_refused_with_advice(case: str) -> None:
    module, message = REFUSED[case]
    with pytest.raises(ModelError, match=message) as caught:
        lower(module, torch.zeros(2, 3, 8, 8))
    assert "\n" not in str(caught.value)


def test_nan_weights_and_odd_inputs_are_refused() -> None:
    module = conv()
    with torch.no_grad():
        module.weight[0, 0, 0, 0] = float("nan")
    with pytest.raises(ModelError, match="NaN"):
        lower(module, torch.zeros(1, 3, 8, 8))
    with pytest.raises(ModelError, match="example input"):
        lower(conv(), torch.zeros(8))
    with pytest.raises(ModelError, match=r"shape \(8, 8\) without the batch; \(channels, height, width\)"):
        lower(conv(), torch.zeros(3, 8, 8))
