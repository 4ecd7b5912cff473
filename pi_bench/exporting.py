"""Exports a torch module to a model file, for `pi_bench.export`."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pi_bench import __version__
from pi_bench.article import with_article
from pi_bench.caller import warn_caller
from pi_bench.errors import InputError, ModelError, UsageError
from pi_bench.fidelity import bit_choice, choose_bits
from pi_bench.fidelity.fidelity import CALIBRATION, EXAMPLE, NOISE
from pi_bench.fidelity.fidelity_warning import FidelityWarning, warning_text
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.equalization import equalize
from pi_bench.network.files.model_file import save_model
from pi_bench.network.graph import Graph
from pi_bench.network.graph.float_run import calibrate, outputs

if TYPE_CHECKING:
    import torch

MIN_HEADROOM_BITS = 1.0

_COMPARED_SAMPLES = 2
_COMPARED_CLASSES = 32
_RELATIVE_TOLERANCE = 1e-3


def export(
    module: torch.nn.Module | torch.export.ExportedProgram | str | os.PathLike[str],
    example_input: torch.Tensor | np.ndarray | None,
    path: str | os.PathLike[str],
    *,
    calibration: torch.Tensor | np.ndarray | Sequence[torch.Tensor | np.ndarray] | None = None,
    calibration_percentile: float = 100.0,
    fidelity: float | None = None,
    weight_bits: int | None = None,
    activation_bits: int | None = None,
    labels: Sequence[str] = (),
    name: str | None = None,
    own_weights: Literal["given", "random"] | None = None,
    meta: Mapping[str, Any] | None = None,
) -> Graph:
    """Writes `module`, in its inference mode, to the model file `path`.

    Args:
        module: a torch module, an exported program of `torch.export.export`, or the path of a ``.pt2`` or
            ``.onnx`` file. It may have convolutions, batch norms, fully connected layers, ReLUs (masked,
            clamped, leaky and parametric ones too), polynomials of degree 2 and 3, additions,
            concatenations, average- and max-pooling, reshapes and slices, in any arrangement with one input
            and one output. The module is not changed. Only these operators of a file are run.
        example_input: float (batch, features), (batch, channels, length) or (batch, channels, height,
            width). Its values do not matter if `calibration` is given. None for programs and files, which
            know their shape.
        path: the file to write. An existing file is replaced in one step.
        calibration: typical inputs, float, with the shape of `example_input` except for the batch, or a list
            of such inputs, each with or without a batch axis. A private run can represent twice the largest
            value that each layer has on them. Some dozens of real samples are good. The example input alone
            is a poor substitute.
        calibration_percentile: percentile of the samples' largest values, 50 to 100. Less than 100 leaves
            out the most extreme samples, for finer scales. `pi-bench accuracy` says which values saturate.
        fidelity: percentage of the inputs on which the private answer must have the float network's class,
            90 to 99.99. The typical error of a logit is then at most 2 % of the logits' range for 99 %, and
            less for more. The bits of each layer are the cheapest ones that reach this on the calibration
            inputs. The default is 99, unless bits are given.
        weight_bits, activation_bits: bits for all layers, instead of a fidelity. If one of them is missing,
            it is 10.
        labels: class names, one per output, or none.
        name: the name of the network in reports. By default it is the module's class. If that is as general
            as Sequential, it is the stem of the network's own file, or else of `path`.
        own_weights: where the weights of the module come from: ``"given"``, such as trained ones, or
            ``"random"``. The model file notes it. The weights of a file are given, those of a module or a
            program unknown by default.
        meta: JSON values to keep in the file.

    Returns:
        The graph in the file, with calibrated ranges. Its `meta` has ``bits``, ``fidelity`` and
        ``headroom_bits`` by layer.

    Raises:
        ModelError: an operator cannot be lowered, or the values of a layer leave less than one bit of
            headroom. The message gives the path of the operator's module and a replacement.
        UsageError: the bits, the fidelity, the percentile or the origin of the weights are impossible, or
            bits and a fidelity are given.
        InputError: the example input or the calibration inputs are no numbers, are all zero or do not fit
            the network, or the labels do not.
        OutputError: `path` cannot be written. An older file is still whole.

    >>> import tempfile
    >>> import torch
    >>> layers = torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "tiny.model")
    ...     graph = export(torch.nn.Sequential(*layers), torch.zeros(1, 2), path, calibration=torch.eye(2))
    >>> len(graph.nodes), list(graph.meta["headroom_bits"])  # the ReLU is module "1"
    (5, ['1'])
    """
    from pi_bench.network.interchange.source import network_name, open_source
    from pi_bench.network.lowering import lower

    choice = bit_choice(fidelity, weight_bits, activation_bits)
    if not 50 <= calibration_percentile <= 100:
        raise UsageError(f"calibration_percentile {calibration_percentile}: 50 to 100 are possible")
    named_by = path
    if isinstance(module, str | os.PathLike):
        named_by, own_weights = module, own_weights or "given"
    origin = _origin(own_weights)
    module = open_source(module)
    example = _batched(_example(module, calibration) if example_input is None else example_input)
    if calibration is None:
        warn_caller(
            "the network is calibrated on the example input alone: "
            "give pi_bench.export some dozens of typical inputs as calibration="
        )
    hint = _hint(example)
    samples = _samples(example if calibration is None else calibration, tuple(example.shape[1:]), hint)
    plain, traced = _plain_copy(module, example)
    output_count = _require_answer(plain, example, hint)
    if labels and output_count not in (None, len(labels)):
        raise InputError(
            f"{len(labels)} labels for {output_count} outputs: give one class name per output, or no labels"
        )
    graph = lower(traced, example, name=name or network_name(module, Path(str(named_by)).stem), labels=labels)
    _check_equal(plain, graph, samples, len(example))
    given = {**_notes_of_file(module, plain, samples, len(example)), **origin, **(meta or {})}
    inputs = "example input" if calibration is None else "given inputs"
    notes = _meta(graph, given, inputs, len(samples), calibration_percentile)
    if not samples.any():  # after all that is wrong with the network itself
        raise InputError("the calibration inputs are all zero: calibrate with real inputs")
    graph = equalize(graph, samples)
    graph = dataclasses.replace(graph, ranges=calibrate(graph, samples, calibration_percentile), meta=notes)
    source = _source(notes["calibration"]["source"])
    chosen = choose_bits(graph, samples, choice, source=source, threads=_threads())
    for line in warning_text(graph, chosen):
        warn_caller(line, FidelityWarning)
    notes = {**notes, **chosen.meta(), "headroom_bits": headroom_bits(graph, chosen.options)}
    graph = dataclasses.replace(graph, meta=notes)
    save_model(graph, path)
    return graph


def _origin(own_weights: str | None) -> dict[str, bool]:
    """Returns the note of the model file on where its weights come from; none where it is unknown.

    Raises:
        UsageError: there is no such origin.
    """
    if own_weights not in (None, "given", "random"):
        raise UsageError(f"own_weights cannot be {own_weights!r}; it can be 'given', 'random' or None")
    return {} if own_weights is None else {"random_weights": own_weights == "random"}


def _batched(example_input: torch.Tensor | np.ndarray) -> torch.Tensor:
    """Returns the example input as a tensor with a batch axis.

    Raises:
        InputError: it is no tensor of numbers.
        ModelError: it has another number of axes.
    """
    example = _tensor(example_input, "the example input")
    if example.dim() not in (2, 3, 4):
        hint = "; add the batch axis: example_input[None]" if example.dim() == 1 else ""
        raise ModelError(
            f"the example input has shape {tuple(example.shape)}; (batch, features), (batch, channels, "
            f"length) or (batch, channels, height, width) is needed{hint}"
        )
    return example


def _meta(
    graph: Graph, given: Mapping[str, Any], inputs: str, sample_count: int, percentile: float
) -> dict[str, Any]:
    """Returns the notes of the model file without those that the choice of bits adds.

    `given` overrides the values of this function. `inputs` names the calibration inputs.
    """
    notes: dict[str, Any] = {
        **graph.meta,
        "created_by": f"pi-bench {__version__}",
        "calibration": {"source": inputs},
        **given,
    }
    notes["calibration"] = {**notes["calibration"], "sample_count": sample_count}
    if percentile != 100:
        notes["calibration"]["percentile"] = percentile
    return notes


def _source(calibration: str) -> str:
    """Returns the source of a fidelity that is measured on inputs of such a calibration."""
    return {"example input": EXAMPLE, "seeded noise": NOISE}.get(calibration, CALIBRATION)


def _threads() -> int:
    return len(os.sched_getaffinity(0))


def headroom_bits(graph: Graph, options: CompileOptions | None = None) -> dict[str, float]:
    """Returns the bits of headroom of each activation layer by its name.

    >>> from pi_bench.network.graph import InputNode, OutputNode, ReluNode
    >>> nodes = InputNode("x", (), (4,)), ReluNode("r", ("x",), (4,)), OutputNode("y", ("r",), (4,))
    >>> headroom_bits(Graph(nodes, {}, ranges={"x": 1.0, "r": 1.0, "y": 1.0}))
    {'r': 1.0}

    Raises:
        ModelError: a layer has less than one bit. The message names the layer.
    """
    program, _ = compile_graph(graph, options)
    headroom = {op.name: round(op.headroom_bits, 3) for op in program.activation_ops}
    for op in program.activation_ops:
        if op.headroom_bits < MIN_HEADROOM_BITS:
            raise ModelError(
                f"layer {op.name!r} has {op.headroom_bits:.2f} bits of headroom, "
                f"{MIN_HEADROOM_BITS:g} is needed: its values are too large for 32-bit shares; "
                "rescale its weights (batch norm does) or check the calibration inputs"
            )
    return headroom


def _example(module: Any, calibration: Any) -> torch.Tensor:
    """Returns zeros of the shape that a program or a file declares.

    Raises:
        ModelError: `module` is a torch module, which declares no shape, or `calibration` is None.
    """
    import torch

    from pi_bench.network.interchange.source import example_shape

    first = calibration[0] if calibration is not None and len(calibration) else None
    known = None if first is None else tuple(_tensor(first, "calibration[0]").shape)
    shape = example_shape(module, known)
    if calibration is None:
        raise ModelError("give some dozens of typical inputs as calibration=, or an example input")
    return torch.zeros(shape)


def _plain_copy(module: Any, example: torch.Tensor) -> tuple[torch.nn.Module, Any]:
    """Returns the module to run and the module or program to trace, in inference, float32 and on the CPU."""
    import torch

    from pi_bench.network.interchange.plain_module import plain_module

    if isinstance(module, torch.export.ExportedProgram):
        # torch 2.8 has no such option, and no guards that need it.
        options = {"check_guards": False} if "check_guards" in signature(module.module).parameters else {}
        return module.module(**options), module
    plain: Any = plain_module(module)
    if hasattr(plain, "require_bounded"):
        plain.require_bounded(example)
    return plain, plain


def _require_answer(module: torch.nn.Module, example: torch.Tensor, hint: str) -> int | None:
    """Runs the user's module once, so that its own errors are reported before tracing wraps them.

    Returns the number of outputs; None where the answer is a class, which does not tell it.

    Raises:
        ModelError: forward() fails, or returns anything else than one float tensor.
    """
    import torch

    try:
        with torch.no_grad():
            answer = module(example)
    except ModelError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        more = "; a network takes one input" if "positional argument" in reason else ""
        raise ModelError(
            f"the module itself fails on the example input of shape {tuple(example.shape)}: "
            f"{reason:.300}{more}{hint}"
        ) from error
    if not isinstance(answer, torch.Tensor):
        raise ModelError(
            f"the module answers with {with_article(type(answer).__name__)}; wrap it in a module whose "
            "forward() returns one tensor, the logits"
        )
    if answer.dtype not in (torch.float32, torch.int64):  # int64: classes, if argmax is the last step
        raise _no_logits(answer.dtype)
    least = 2 if answer.is_floating_point() else 1
    if answer.dim() < least or len(answer) != len(example):
        raise ModelError(
            f"the module answers {tuple(answer.shape)} to {len(example)} inputs; (batch, outputs) is needed"
            f"{hint}"
        )
    return int(answer.shape[1]) if answer.is_floating_point() else None


def _hint(example: torch.Tensor) -> str:
    """Names the axes of images where an example of three axes does not fit the network."""
    if example.dim() != 3:
        return ""
    return "; images have four axes, (batch, channels, height, width): add the axis that is missing"


def _no_logits(dtype: torch.dtype) -> ModelError:
    return ModelError(f"the module answers with {dtype}; its output must be float logits")


def _tensor(values: torch.Tensor | np.ndarray, what: str) -> torch.Tensor:
    import torch

    if isinstance(values, np.ndarray) and not values.flags.writeable:
        values = values.copy()  # torch has no tensors that cannot be written
    try:
        return torch.as_tensor(values).detach().cpu().float()
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"{what} is neither a float tensor nor a numpy array of numbers: "
            f"its type is {type(values).__name__}"
        ) from error


def _samples(values: Any, shape: tuple[int, ...], hint: str) -> np.ndarray:
    if isinstance(values, list | tuple):
        parts = [_tensor(value, f"calibration[{index}]").numpy() for index, value in enumerate(values)]
        parts = [part[None] if part.ndim == len(shape) else part for part in parts]
        for index, part in enumerate(parts):
            if part.shape[1:] != shape:
                raise InputError(f"calibration[{index}] has shape {part.shape}, {shape} is needed")
        samples = np.concatenate(parts) if parts else np.empty((0, *shape), np.float32)
    else:
        samples = _tensor(values, "calibration").numpy()
    if samples.ndim != len(shape) + 1 or samples.shape[1:] != shape or len(samples) == 0:
        wanted = ", ".join(map(str, shape))
        raise InputError(
            f"calibration inputs have shape {samples.shape}, (samples, {wanted}) is needed{hint}"
        )
    if not np.isfinite(samples).all():
        raise InputError("calibration inputs hold NaN or infinity")
    return np.ascontiguousarray(samples)


def _notes_of_file(module: Any, plain: torch.nn.Module, samples: np.ndarray, batch: int) -> dict[str, Any]:
    """Returns the notes about the file that a graph was read from, after another runtime has read it.

    Raises:
        ModelError: the other runtime gives other answers.
    """
    from pi_bench.network.lowering.last_step import META_KEY

    notes: dict[str, Any] = {}
    if getattr(module, "left_out", ()):
        notes[META_KEY] = list(module.left_out)
    if getattr(module, "other_runtime", None) is not None:
        compared = _compared(samples, batch)
        for at in range(0, len(compared), batch):
            found = module.other_runtime.require_same(plain, compared[at : at + batch])
            if found:
                notes["compared_with"] = found
    return notes


def _compared(samples: np.ndarray, batch: int, count: int = _COMPARED_SAMPLES) -> np.ndarray:
    """Returns the samples for comparisons, whole batches; they are repeated where there are too few."""
    count = batch * -(-min(count, len(samples)) // batch)
    return np.resize(samples, (count, *samples.shape[1:]))


def _check_equal(module: torch.nn.Module, graph: Graph, samples: np.ndarray, batch: int) -> None:
    """Compares the graph with the module on some samples, so that no other network is measured by its name.

    `batch` is that of the example input. A program, and some modules, take no other batch.

    Raises:
        ModelError: the outputs differ in shape or value.
    """
    import torch

    from pi_bench.network.lowering.last_step import META_KEY, with_last_step

    are_classes = any(step["operator"] == "argmax" for step in graph.meta.get(META_KEY, ()))
    # A class tells less than logits do, so more of them are compared.
    compared = _compared(samples, batch, _COMPARED_CLASSES if are_classes else _COMPARED_SAMPLES)
    with torch.no_grad():
        parts = [module(torch.from_numpy(compared[at : at + batch])) for at in range(0, len(compared), batch)]
    expected = torch.cat(parts).numpy()
    actual = with_last_step(torch.from_numpy(outputs(graph, compared)), graph.meta).numpy()
    if not are_classes and not np.issubdtype(expected.dtype, np.floating):
        raise _no_logits(torch.from_numpy(expected).dtype)
    if are_classes and actual.size == expected.size:
        actual = actual.reshape(expected.shape)
    if actual.shape != expected.shape:
        raise ModelError(f"the lowered network answers {actual.shape}, the module {expected.shape}")
    largest = max(float(np.abs(expected).max()), 1e-30)
    error = float(np.abs(actual - expected).max()) / largest
    if not error < _RELATIVE_TOLERANCE:
        raise ModelError(
            f"the lowered network differs from the module by {error:.1e} of its largest output: "
            "forward() does something that tracing does not see (randomness, state, data-dependent code)"
        )
