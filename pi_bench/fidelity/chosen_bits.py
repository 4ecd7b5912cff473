"""The bits that an export chose, kept in ``meta["bits"]`` of its model file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pi_bench.errors import ModelError
from pi_bench.network.compiler import CompileOptions
from pi_bench.network.compiler.options import MAX_WEIGHT_BITS, MAX_WINDOW_BITS, MIN_BITS
from pi_bench.network.graph import Graph

_FIELDS = {"weights", "activations", "layer_weights", "layer_activations"}


def bits_to_fields(options: CompileOptions) -> dict[str, Any]:
    """Returns the bits of compile options as JSON values, for ``meta["bits"]``.

    >>> bits_to_fields(CompileOptions(12, 11, layer_activation_bits={"relu": 9}))["layer_activations"]
    {'relu': 9}
    """
    return {
        "weights": options.weight_bits,
        "activations": options.activation_bits,
        "layer_weights": dict(options.layer_weight_bits),
        "layer_activations": dict(options.layer_activation_bits),
    }


def with_chosen_bits(
    graph: Graph, options: CompileOptions, *, weights: bool = True, activations: bool = True
) -> CompileOptions:
    """Returns the options with the bits of the graph's export, if it chose any.

    Args:
        weights, activations: whether to take the bits of each kind. A larger headroom leaves fewer bits for
            activations, which are then as many as possible.

    Raises:
        ModelError: the note in the model file is damaged.

    >>> meta = {"bits": bits_to_fields(CompileOptions(12, 11))}
    >>> with_chosen_bits(Graph((), {}, meta=meta), CompileOptions(batch=4), activations=False)
    CompileOptions(weight_bits=12, activation_bits=10, headroom_bits=1.0, per_channel=True, batch=4, ...)
    """
    fields = graph.meta.get("bits")
    if fields is None:
        return options
    if not isinstance(fields, Mapping) or set(fields) != _FIELDS:
        raise _damaged()
    if weights:
        options = replace(
            options,
            weight_bits=_number(fields["weights"], MAX_WEIGHT_BITS),
            layer_weight_bits=_by_layer(fields["layer_weights"], MAX_WEIGHT_BITS),
        )
    if activations:
        most = MAX_WINDOW_BITS - 8 - options.headroom
        by_layer = _by_layer(fields["layer_activations"], MAX_WINDOW_BITS)
        options = replace(
            options,
            activation_bits=min(_number(fields["activations"], MAX_WINDOW_BITS), most),
            layer_activation_bits={name: min(bits, most) for name, bits in by_layer.items()},
        )
    return options


def _by_layer(fields: Any, most: int) -> dict[str, int]:
    if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
        raise _damaged()
    return {name: _number(bits, most) for name, bits in fields.items()}


def _number(value: Any, most: int) -> int:
    if type(value) is not int or not MIN_BITS <= value <= most:
        raise _damaged()
    return value


def _damaged() -> ModelError:
    return ModelError("the model file's note on its bits is damaged: export the network again")
