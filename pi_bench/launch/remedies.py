"""Measures how much one more bit in a layer improves the logits, and predicts its cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from pi_bench.errors import PiBenchError
from pi_bench.fidelity.logits import integer_logits
from pi_bench.launch.accuracy import Comparison
from pi_bench.launch.accuracy_task import AccuracyTask
from pi_bench.launch.samples import Answers, evenly_spread
from pi_bench.network.compiler import CompileOptions, compile_graph
from pi_bench.network.program import ActivationOp, Program
from pi_bench.prediction.simulated_run import Setting, predict_run
from pi_bench.progress import Progress

_MAX_IMAGES = 32
_MAX_LAYERS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Remedy:
    """The integer network with one more bit, on some of the images of a comparison.

    Attributes:
        change: the added bit in words.
        layer: its layer, None for all layers.
        online_s: predicted; None without costs.

    >>> Remedy("as it is", None, Answers(np.array([0]), np.zeros((1, 10))), None).layer is None
    True
    """

    change: str
    layer: str | None
    answers: Answers
    online_s: float | None


def find_remedies(
    task: AccuracyTask, comparison: Comparison, setting: Setting | None, progress: Progress
) -> list[Remedy]:
    """Runs the integer network as it is and with one more bit in several places; as it is comes first.

    The places are the input, the layers with the coarsest values, all weights, and all activations. Bits that
    the ring cannot hold are left out.

    Args:
        setting: predicts times; None for none.

    ```python
    from pi_bench.progress import silent

    def changes(task: AccuracyTask, comparison: Comparison) -> list[str]:
        return [remedy.change for remedy in find_remedies(task, comparison, None, silent)]
    ```
    """
    index = evenly_spread(comparison.floats.index, _MAX_IMAGES)
    changes = _changes(task.program, task.compiling, comparison)
    found = []
    for number, (words, layer, changed) in enumerate(changes):
        progress("adding bits", number, len(changes))
        changed_task = replace(task, compiling=changed)
        try:
            answers = _answers(changed_task, index)
            found.append(Remedy(words, layer, answers, _online_s(changed_task, setting)))
        except PiBenchError:
            if changed == task.compiling:
                raise
    return found


def coarsest(program: Program, comparison: Comparison, count: int = _MAX_LAYERS) -> list[str]:
    """Names the truncated layers whose values have the fewest units in the last place, the coarsest first.

    ```python
    def show(program: Program, comparison: Comparison) -> None:
        print(coarsest(program, comparison, count=3))
    ```
    """
    units: dict[str, float] = {}
    for op in program.ops:
        layer = comparison.layers.by_name.get(op.name)
        if not isinstance(op, ActivationOp) or not op.truncate_bits or layer is None:
            continue
        if layer.compared_count and layer.float_square_sum:
            size = (layer.float_square_sum / layer.compared_count) ** 0.5
            units[op.name] = size * 2.0**op.scale_bits
    return sorted(units, key=units.__getitem__)[:count]


def _changes(
    program: Program, compiling: CompileOptions, comparison: Comparison
) -> list[tuple[str, str | None, CompileOptions]]:
    """Lists the options to compile with, with words and layer. Leaves out bits beyond their bounds."""

    def more(name: str) -> CompileOptions:
        bits = {**compiling.layer_activation_bits, name: compiling.activation_bits_of(name) + 1}
        return replace(compiling, layer_activation_bits=bits)

    def more_weights() -> CompileOptions:
        bits = {name: bits + 1 for name, bits in compiling.layer_weight_bits.items()}
        return replace(compiling, weight_bits=compiling.weight_bits + 1, layer_weight_bits=bits)

    def more_activations() -> CompileOptions:
        bits = {name: bits + 1 for name, bits in compiling.layer_activation_bits.items()}
        return replace(compiling, activation_bits=compiling.activation_bits + 1, layer_activation_bits=bits)

    tried: list[tuple[str, str | None, Callable[[], CompileOptions]]] = [
        ("the input", program.input.name, partial(more, program.input.name)),
        *((f"layer {name!r}", name, partial(more, name)) for name in coarsest(program, comparison)),
        ("all weights", None, more_weights),
        ("all activations", None, more_activations),
    ]
    changes: list[tuple[str, str | None, CompileOptions]] = [("as it is", None, compiling)]
    for words, layer, change in tried:
        try:
            changes.append((f"one more bit in {words}", layer, change()))
        except PiBenchError:
            continue
    return changes


def _answers(task: AccuracyTask, index: np.ndarray) -> Answers:
    inputs = task.samples.inputs[index]
    logits = integer_logits(task.graph, task.compiling, inputs, law=task.law, threads=task.place.threads)
    return Answers(index, logits.reshape(len(index), -1))


def _online_s(task: AccuracyTask, setting: Setting | None) -> float | None:
    program, _ = compile_graph(task.graph, task.compiling)
    task.info.require(program, task.options)
    if setting is None or task.info.script is None:
        return None
    return predict_run(task.info.script(program, task.options), setting).online.time_s
