"""Modules in the manner of the libraries that people train with: they go through as they are."""

from pathlib import Path

import numpy as np
import pytest

import pi_bench
from pi_bench.errors import ModelError
from pi_bench.network.compiler import compile_graph
from pi_bench.network.graph.float_run import outputs

torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional


def conv3x3(inputs: int, outputs_: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs_, 3, stride, padding=1, bias=False)


class ResidualBlock(nn.Module):
    """torchvision: one in-place ReLU used twice, the shortcut given from outside."""

    def __init__(self, width: int, stride: int, downsample: nn.Module | None) -> None:
        super().__init__()
        self.conv1, self.bn1 = conv3x3(4, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = conv3x3(width, width), nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        identity = x
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return self.relu(out)


def resnet() -> nn.Module:
    stem = [nn.Conv2d(3, 4, 7, 2, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(True), nn.MaxPool2d(3, 2, 1)]
    shortcut = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))
    blocks = [ResidualBlock(4, 1, None), ResidualBlock(6, 2, shortcut)]
    return nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.Linear(6, 3))


class InvertedResidual(nn.Module):
    """torchvision's MobileNetV2: expansion, depthwise, projection, ReLU6."""

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.use_res_connect = stride == 1
        self.conv = nn.Sequential(
            *(nn.Conv2d(4, 8, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)),
            *(nn.Conv2d(8, 8, 3, stride, 1, groups=8, bias=False), nn.BatchNorm2d(8), nn.ReLU6(inplace=True)),
            *(nn.Conv2d(8, 4, 1, bias=False), nn.BatchNorm2d(4)),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(conv3x3(3, 4, 2), InvertedResidual(1), InvertedResidual(2))
        self.classifier = nn.Sequential(nn.Dropout(p=0.2), nn.Linear(4, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.features(x)
        x = functional.adaptive_avg_pool2d(x, (1, 1)).reshape(x.shape[0], -1)
        return self.classifier(x)


class DenseLayer(nn.Module):
    """torchvision's DenseNet: takes a list, normalizes before it convolves."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.norm, self.conv = nn.BatchNorm2d(inputs), conv3x3(inputs, 2)

    def forward(self, features: list[torch.Tensor]) -> torch.Tensor:
        return self.conv(functional.relu(self.norm(torch.cat(features, 1)), inplace=True))


class DenseNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleDict({f"layer{i}": DenseLayer(3 + 2 * i) for i in range(2)})
        self.transition = nn.Sequential(nn.Conv2d(7, 4, 1), nn.AvgPool2d(2, 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = [x]
        for layer in self.layers.values():
            features.append(layer(features))
        return torch.flatten(self.transition(torch.cat(features, 1)).mean([2, 3]), 1)


class BatchNormAct(nn.BatchNorm2d):
    """timm: normalization and activation in one module."""

    def __init__(self, width: int, *, apply_act: bool = True) -> None:
        super().__init__(width)
        self.drop = nn.Identity()
        self.act = nn.ReLU(inplace=True) if apply_act else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias, self.training, 0.1, self.eps
        )
        return self.act(self.drop(x))


class StandardizedConv(nn.Conv2d):
    """timm: the weights are standardized in every call."""

    def __init__(self, inputs: int, width: int, stride: int = 1) -> None:
        super().__init__(inputs, width, 3, stride, padding=1, bias=False)
        self.gain = nn.Parameter(torch.full((width, 1, 1, 1), 0.7))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = functional.batch_norm(
            self.weight.reshape(1, self.out_channels, -1),
            None,
            None,
            weight=(self.gain * 0.1).view(-1),
            training=True,
            momentum=0.0,
            eps=1e-6,
        ).reshape_as(self.weight)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


class DropPath(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        return x * torch.bernoulli(torch.full((x.shape[0], 1, 1, 1), 0.9))


class ScaledBlock(nn.Module):
    """timm: layer scale, stochastic depth, keyword arguments, a tuple between its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = StandardizedConv(4, 4), BatchNormAct(4)
        self.conv2, self.bn2 = conv3x3(4, 4), BatchNormAct(4, apply_act=False)
        self.gamma = nn.Parameter(torch.tensor([0.5, 1.0, -0.25, 2.0]))
        self.drop_path = DropPath()
        self.act2 = nn.ReLU(inplace=True)

    def branches(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.bn2(self.conv2(self.bn1(self.conv1(x)))), x

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out, shortcut = self.branches(x)
        out = self.drop_path(out.mul(self.gamma.reshape(1, -1, 1, 1))) + shortcut
        return self.act2(out)


class Timm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv_stem, self.bn1 = nn.Conv2d(3, 4, 3, 2, 1), BatchNormAct(4)
        self.blocks = nn.ModuleList([ScaledBlock(), ScaledBlock()])
        self.fc = nn.Linear(4, 3)

    def forward_features(self, x: torch.Tensor) -> torch.Tensor:
        x = self.bn1(self.conv_stem(x))
        for block in self.blocks:
            x = block(x=x)
        return x

    def forward_head(self, x: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        x = x.mean(dim=(2, 3), keepdim=False)
        x = functional.dropout(x, p=0.1, training=self.training)
        return x if pre_logits else self.fc(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(x))


NETWORKS = {"resnet": resnet, "mobilenet": MobileNet, "densenet": DenseNet, "timm": Timm}


@pytest.mark.slow
@pytest.mark.parametrize("style", NETWORKS)
def test_networks_go_through_as_they_are(style: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    module, x = NETWORKS[style](), torch.randn(12, 3, 15, 18)
    module(x)  # running statistics of its own
    graph = pi_bench.export(module, x[:1], tmp_path / "m.pt", calibration=x)
    with torch.no_grad():
        expected = module.eval()(x).numpy()
    np.testing.assert_allclose(outputs(graph, x.numpy()), expected, rtol=1e-3, atol=1e-4)
    program, _ = compile_graph(graph)
    assert program.relu_count >= graph.relu_count > 0


def test_squeeze_and_excitation_is_refused_by_its_path(tmp_path: Path) -> None:
    class SqueezeExcite(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.reduce, self.expand = nn.Conv2d(3, 2, 1), nn.Conv2d(2, 3, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            gate = self.expand(torch.relu(self.reduce(x.mean((2, 3), keepdim=True))))
            return x * gate.sigmoid()

    x = torch.randn(2, 3, 6, 6)
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(SqueezeExcite()))
    with pytest.raises(ModelError, match=r"sigmoid.* in module '1\.0'.*ReLU"):
        pi_bench.export(network, x[:1], tmp_path / "m.pt", calibration=x)
