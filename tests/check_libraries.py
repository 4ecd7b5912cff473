"""Networks of torchvision and timm, as these libraries define them: `python tests/check_libraries.py`.

Not part of the tests: neither library is a dependency. Each network gets random weights and the batch norm
statistics of a few inputs; it is exported, compiled, and its integer answer compared with its float one.
Networks that have no private counterpart here must be refused with a module path. Any failure ends it with a
non-zero code.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import pi_bench
from pi_bench.arithmetic.activation_law import EXACT
from pi_bench.errors import ModelError
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.execution.integer_run import IntegerRun
from pi_bench.network.program.fixed_point import decode_output, encode_input

SIZE = 96
OPTIONS = CompileOptions(weight_bits=12, activation_bits=12)
LARGEST_ERROR = 0.1  # of the largest logit; statistics of four noise images make unusual networks
TAKEN = {
    "torchvision": "resnet18 resnext50_32x4d vgg11_bn densenet121 squeezenet1_1 mobilenet_v2 googlenet "
    "shufflenet_v2_x0_5 mnasnet0_5 regnet_x_400mf",
    "timm": "resnet26d resnetv2_50 vgg11 mobilenetv2_050 densenet121 dla34 repvgg_a0 res2net50_26w_4s "
    "selecsls42 cspresnet50 regnetx_002 nf_resnet26",
}
REFUSED = {
    "torchvision": "mobilenet_v3_small regnet_y_400mf efficientnet_b0 convnext_tiny",
    "timm": "seresnet18 hardcorenas_a skresnet18 ese_vovnet19b_dw",
}


def torchvision_maker() -> Callable[[str], torch.nn.Module]:
    try:
        models = importlib.import_module("torchvision.models")
    except RuntimeError:  # its compiled operators fit one build of torch; its networks need none of them
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        torch.library.register_fake = lambda *names, **options: lambda function: function  # type: ignore[assignment]
        models = importlib.import_module("torchvision.models")
    return lambda name: getattr(models, name)(**({"init_weights": False} if name == "googlenet" else {}))


def timm_maker() -> Callable[[str], torch.nn.Module]:
    timm = importlib.import_module("timm")
    return lambda name: timm.create_model(name, pretrained=False)


def exported(module: torch.nn.Module, path: Path) -> tuple[Any, torch.Tensor]:
    torch.manual_seed(0)
    inputs = torch.randn(4, 3, SIZE, SIZE).clip(-2.5, 2.5)
    for part in module.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    with torch.no_grad():
        for _ in range(3):
            module.train()(inputs)
    return pi_bench.export(module.eval(), inputs[:1], path, calibration=inputs), inputs[:1]


def integer_error(graph: Any, module: torch.nn.Module, x: torch.Tensor) -> float:
    """Of the largest logit."""
    program, weights = compile_graph(graph, OPTIONS)
    run = IntegerRun(program, weights)
    *_, last = run.values(encode_input(program, x.numpy()), EXACT, np.random.default_rng(0))
    with torch.no_grad():
        expected = module(x).numpy()
    return float(np.abs(decode_output(program, last.made) - expected).max() / np.abs(expected).max())


def main() -> None:
    warnings.simplefilter("ignore")
    failures = 0
    for library, maker in (("torchvision", torchvision_maker), ("timm", timm_maker)):
        try:
            make = maker()
        except ImportError as error:
            print(f"{library} is not here: {error}")
            continue
        print(f"{library} {importlib.import_module(library).__version__}")
        with tempfile.TemporaryDirectory() as folder:
            for name in f"{TAKEN[library]} {REFUSED[library]}".split():
                module = make(name)
                try:
                    graph, x = exported(module, Path(folder) / "model.pt")
                    error = integer_error(graph, module, x)
                    sound = name in TAKEN[library].split() and error < LARGEST_ERROR
                    words = f"{graph.relu_count:>10,} ReLUs, integer answer {error:.2%} off"
                except ModelError as refusal:
                    sound = name in REFUSED[library].split() and "module '" in str(refusal)
                    words = f"refused: {refusal}"
                failures += not sound
                print(f"  {'ok  ' if sound else 'FAIL'} {name:22} {words:.150}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
