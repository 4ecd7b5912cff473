"""Reads the images and labels on which `pi-bench accuracy` compares answers."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pi_bench.cli.training_options import data_files
from pi_bench.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np

    from pi_bench.launch.samples import Samples
    from pi_bench.network.graph import Graph

_IMAGE_NAMES = ("images", "inputs", "x", "arr_0")
_LABEL_NAMES = ("labels", "targets", "y", "arr_1")
_MAX_CHANCE = 0.01


def samples_of(parsed: argparse.Namespace, graph: Graph, progress: Any) -> Samples:
    """Reads the images and labels that ``--data``, ``--labels`` and ``--limit`` choose.

    Raises:
        UsageError: the options do not go together.
        InputError: the images or the labels do not fit the network.

    ```python
    from pi_bench.progress import silent

    def image_count(parsed: argparse.Namespace, graph: Graph) -> int:
        return len(samples_of(parsed, graph, silent).inputs)
    ```
    """
    import numpy as np

    from pi_bench.launch.samples import Samples, evenly_spread
    from pi_bench.npy_file import as_native_float

    inputs, labels, source = _read(parsed, graph, progress)
    shape = tuple(graph.input.shape)
    if inputs.ndim != 1 + len(shape) or inputs.shape[1:] != shape or not len(inputs):
        raise InputError(
            f"--data {parsed.data}: images of shape {inputs.shape}; "
            f"(images, {', '.join(map(str, shape))}) is needed"
        )
    if labels is not None:
        classes = int(np.prod(graph.output.shape))
        whole = labels.dtype.kind in "iu" and labels.shape == (len(inputs),)
        if not whole or labels.min() < 0 or labels.max() >= classes:
            raise InputError(
                f"--data {parsed.data}: labels {labels.dtype} of shape {labels.shape}; one whole number "
                f"from 0 to {classes - 1} for each of the {len(inputs)} images is needed"
            )
    class_count = None if labels is None else class_count_of(labels, int(np.prod(graph.output.shape)))
    if parsed.limit is not None:
        chosen = evenly_spread(np.arange(len(inputs)), parsed.limit)
        inputs, labels = inputs[chosen], None if labels is None else labels[chosen]
    return Samples(as_native_float(inputs), labels, source, class_count)


def class_count_of(labels: np.ndarray, output_count: int) -> int | None:
    """Finds how many classes the data has, from its `labels`, whole numbers from 0.

    Returns None if the labels are too few to tell: a file of three images shows three classes at most and
    may yet be of a hundred. Fewer classes than the network has outputs count only if labels drawn evenly
    from all outputs would hardly ever look like that.

    >>> import numpy as np
    >>> class_count_of(np.arange(200) % 10, 100)
    10
    >>> class_count_of(np.array([3, 9]), 10)
    10
    >>> class_count_of(np.array([3, 7]), 10) is None
    True
    """
    count = int(labels.max()) + 1
    chance = (count / output_count) ** len(labels)
    return count if count >= output_count or chance < _MAX_CHANCE else None


def _read(
    parsed: argparse.Namespace, graph: Graph, progress: Any
) -> tuple[np.ndarray, np.ndarray | None, str]:
    from pi_bench.npy_file import read_npy
    from pi_bench.npz_file import read_npz

    path = Path(parsed.data)
    if parsed.labels is not None and path.suffix != ".npy":
        raise UsageError("--labels goes with --data FILE.npy")
    if path.suffix == ".npy":
        labels = None if parsed.labels is None else read_npy(Path(parsed.labels))
        return read_npy(path), labels, path.name
    if path.suffix == ".npz":
        arrays = read_npz(path)
        images = next((arrays[name] for name in _IMAGE_NAMES if name in arrays), None)
        if images is None:
            raise InputError(
                f"{path}: arrays {', '.join(sorted(arrays)):.200}; name the inputs {_IMAGE_NAMES[0]!r} and "
                f"their classes {_LABEL_NAMES[0]!r}"
            )
        return images, next((arrays[name] for name in _LABEL_NAMES if name in arrays), None), path.name
    from pi_bench.cli import model_options

    model_options.require_torch("accuracy")
    evaluation = importlib.import_module("pi_bench.models.data.evaluation")
    notes = graph.meta.get("data")
    own = isinstance(notes, Mapping) and notes.get("name") == parsed.data
    images, labels, source = evaluation.evaluation_images(
        parsed.data,
        tuple(graph.input.shape),
        notes if own else None,
        **data_files(parsed, progress),
    )
    return images, labels, source
