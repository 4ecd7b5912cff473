"""The networks of the proof table: a recipe each, and a paper's count of its ReLUs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """`recipe`: a name of `pi-bench export --list`. `masks`: ReLUs that SNL's masks keep, of the recipe's.

    `paper`: the ReLUs as `source` prints them; empty where only the architecture is published, and the
    count follows from it.
    """

    title: str
    recipe: str
    paper: str
    source: str
    masks: int | None = None
    runs: int = 5

    @property
    def name(self) -> str:
        return self.recipe if self.masks is None else f"{self.recipe.rpartition('-')[0]}-snl-{self.masks}"


def _deepreduce(relus: int, what: str, printed: str) -> Network:
    title = f"ResNet18, {what}, CIFAR-100"
    return Network(title, f"resnet18-cifar100-{relus}", printed, "DeepReDuce, Table 4")


def _snl(budget: int) -> Network:
    title = f"ResNet18, SNL masks, {budget // 1000}K of 491,520"
    return Network(title, "resnet18-cifar100-491520", f"{budget // 1000}K", "SNL: a budget", masks=budget)


PROTOCOLS = ("delphi", "fss")
"""Each network is measured under both, one after the other, so that they meet the same machine."""

NETWORKS = (
    _deepreduce(12_288, "S1+S4 culled, S2+S3 thinned, alpha 0.5, rho 0.5", "12.28K"),
    _deepreduce(57_344, "S1 culled, S2+S3+S4 thinned, alpha 0.5", "57.34K"),
    _deepreduce(229_376, "S1 culled", "229.38K"),
    _deepreduce(557_056, "all ReLUs", "557.06K"),
    Network("ResNet34, CIFAR-100", "resnet34-cifar100-966656", "967K", "DeepReDuce, Table 1, its sum"),
    Network("ResNet20, CIFAR-10", "resnet20-cifar10-188416", "", "He et al. 2016, section 4.2"),
    Network("ResNet32, CIFAR-10", "resnet32-cifar10-303104", "", "He et al. 2016, section 4.2"),
    Network("ResNet56, CIFAR-10", "resnet56-cifar10-532480", "", "He et al. 2016, section 4.2"),
    Network("ResNet56, S1 culled, CIFAR-10", "resnet56-cifar10-221184", "221.2K", "DeepReDuce, Table 8"),
    Network("ResNet32, DELPHI's, CIFAR-100", "resnet32-cifar100-303104", "303,104", "DELPHI, public logs"),
    Network(
        "ResNet32, DELPHI's, stem and first stage quadratic",
        "resnet32-cifar100-quadratic-122880",
        "",
        "DELPHI: the method",
    ),
    Network(
        "ResNet32, DELPHI's, 1 of 4 channels ReLU, others cubic",
        "resnet32-cifar100-mixture-75776",
        "",
        "SAFENet: the method",
    ),
    Network("MiniONN's network, CIFAR-10", "minionn-cifar10-173056", "173,056", "MiniONN, Figure 13"),
    Network("Wide ResNet 22-8, CIFAR-100", "wrn-22-8-cifar100-1359872", "1,359.87K", "SNL"),
    Network("VGG16 with BN, CIFAR-10", "vgg16-cifar10-276480", "", "Simonyan and Zisserman 2014"),
    Network("VGG16, DELPHI's, CIFAR-10", "vgg16-cifar10-284672", "284,672", "DELPHI, public logs"),
    Network("MobileNetV1, CIFAR-100", "mobilenetv1-cifar100-411648", "", "Howard et al. 2017, Table 1"),
    Network("MobileNetV2, CIFAR-10", "mobilenetv2-cifar10-1502208", "", "Sandler et al. 2018, Table 2"),
    _snl(15_000),
    _snl(25_000),
    _snl(50_000),
    Network("ResNet50, 224 x 224", "resnet50-imagenet-9608704", "", "He et al. 2016, Table 1", runs=3),
)
