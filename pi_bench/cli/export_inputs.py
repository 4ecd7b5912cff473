"""Files beside the network that `pi-bench export` reads: calibration inputs and class names."""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from pi_bench.errors import InputError, UsageError, reason

if TYPE_CHECKING:
    import numpy as np

NOISE_SAMPLES = 32
_MAX_LABEL_CHARACTERS = 1 << 20


def read_labels(path: str | None) -> tuple[str, ...]:
    r"""Reads class names, one per line of the file at `path`. Returns none if `path` is None.

    Raises:
        InputError: the file cannot be read, is no text, is too long, or has an empty line.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile("w") as file:
    ...     print("cat", "dog", sep="\n", file=file, flush=True)
    ...     read_labels(file.name)
    ('cat', 'dog')
    """
    if path is None:
        return ()
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read(_MAX_LABEL_CHARACTERS + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"cannot read the labels {path}: {reason(error)}; write one class name per line"
        ) from None
    labels = tuple(line.strip() for line in text.splitlines())
    if not labels or not all(labels):
        raise InputError(f"the labels {path} have an empty line or none: write one class name per line")
    if len(text) > _MAX_LABEL_CHARACTERS:
        raise InputError(f"the labels {path} are longer than {_MAX_LABEL_CHARACTERS:,} characters")
    return labels


def calibration_inputs(parsed: argparse.Namespace, shape: tuple[int, ...] | None) -> tuple[np.ndarray, str]:
    """Returns the inputs to calibrate with, float of shape (samples, *input shape), and their source in
    words.

    These are the inputs of ``--calibration``, or else seeded noise of ``--input-shape`` or of `shape`.

    Raises:
        InputError: the file does not hold real numbers, or they have another number of axes.
        UsageError: no shape is known.

    >>> parsed = argparse.Namespace(calibration=None, input_shape=(3, 8, 8), seed=1)
    >>> inputs, source = calibration_inputs(parsed, None)
    >>> inputs.shape, source
    ((32, 3, 8, 8), 'seeded noise')
    """
    from pi_bench.npy_file import as_native_float, read_npy

    if parsed.calibration is not None:
        inputs = as_native_float(read_npy(Path(parsed.calibration)))
        if inputs.ndim not in (2, 3, 4):
            raise InputError(
                f"--calibration {parsed.calibration}: it has shape {inputs.shape}; (samples, channels, "
                "height, width), (samples, channels, length) or (samples, features) is needed"
            )
        return inputs, "given inputs"
    shape = parsed.input_shape or shape
    if shape is None:
        raise UsageError("which inputs? give --calibration inputs.npy (better), or --input-shape 3,32,32")
    if len(shape) == 3:
        noise = importlib.import_module("pi_bench.models.random_weights").noise_images
        return noise(NOISE_SAMPLES, shape, parsed.seed), "seeded noise"
    import numpy as np

    generator = np.random.default_rng(parsed.seed)
    return generator.standard_normal((NOISE_SAMPLES, *shape), np.float32), "seeded noise"
