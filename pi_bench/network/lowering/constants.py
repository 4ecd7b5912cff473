"""Folds constants: computes the values that a trace derives from parameters, buffers and literals alone,
once.

Masks reach an activation through such sub-graphs (`(alpha > eps).float()`, `1 - mask`, `mask[None]`),
and so do weights (`weight * keep`). Only operators of a list are ever run, each first on shapes alone,
so that a trace from a stranger's file can neither touch files nor ask for more memory than a network has.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import torch

from pi_bench.errors import ModelError
from pi_bench.network.graph.check import MAX_ELEMENTS
from pi_bench.network.lowering.state import FxNode, Lowering, refuse, stem

_FOLDED_NAMES = """
abs add addcdiv addcmul addmm addmv alias all amax amin any arange argmax argmin bitwise_and bitwise_not
bitwise_or bmm broadcast_to cat ceil clamp clamp_max clamp_min clone concat contiguous cumsum detach div dot
einsum eq erf exp expand expand_as flatten flip floor full full_like ge gt hardtanh heaviside index
index_select le lerp lift_fresh_copy linalg_vector_norm linear log log_softmax logical_and logical_not
logical_or logical_xor lt masked_fill matmul max maximum mean min minimum mm moveaxis movedim mul mv narrow
native_batch_norm_legit native_layer_norm ne neg new_full new_ones new_zeros norm ones ones_like outer pad
permute pow reciprocal relu repeat reshape roll round rsqrt rsub scalar_tensor select sigmoid sign slice
softmax sqrt square squeeze stack std std_mean sub sum swapaxes t tanh tensor threshold tile to to_copy
transpose trunc type_as unbind unsafe_view unsqueeze var var_mean vdot view weight_norm
weight_norm_interface where zeros zeros_like
"""
FOLDED = frozenset(_FOLDED_NAMES.split())
_SHAPED_LIKE = {"zeros_like": 0.0, "ones_like": 1.0, "full_like": None}


class Constants:
    """The constants of one trace, by fx node; `parameters` are those that nodes may cite, by name.

    >>> graph = torch.fx.Graph()
    >>> constants = Constants(Lowering(sources={}))
    >>> weight = graph.placeholder("weight")
    >>> constants.add(weight, "head.weight", torch.tensor([1.0, -1.0]))
    >>> total = graph.call_function(torch.ops.aten.abs.default, (weight,))
    >>> constants.fold(total), constants[total].tolist()
    (True, [1.0, 1.0])
    """

    def __init__(self, lowering: Lowering) -> None:
        self._lowering = lowering
        self._values: dict[FxNode, Any] = {}
        lowering.constants = self._values
        self.parameters: dict[str, torch.Tensor] = {}

    def __contains__(self, argument: Any) -> bool:
        return isinstance(argument, torch.fx.Node) and isinstance(self._values.get(argument), torch.Tensor)

    def __getitem__(self, fx_node: FxNode) -> torch.Tensor:
        value: torch.Tensor = self._values[fx_node]
        return value

    def add(self, fx_node: FxNode, name: str, value: Any) -> None:
        """Adds a constant under `name`, which nodes can cite if it is a tensor."""
        self._values[fx_node] = value
        if isinstance(value, torch.Tensor):
            self._lowering.sources[fx_node.name] = name
            self.parameters[name] = value

    def parameter(self, name: str) -> np.ndarray:
        """Returns a float32 copy of the constant that nodes cite as `name`.

        Raises:
            ModelError: it is complex.
        """
        value = self.parameters[name]
        if value.is_complex():
            raise ModelError(f"parameter {name!r} is complex ({value.dtype}); use real weights")
        array: np.ndarray = value.detach().cpu().float().numpy().copy()
        return array

    def fold(self, fx_node: FxNode) -> bool:
        """Computes the call if its operands are constants; False leaves the call to others.

        Raises:
            ModelError: a constant that is random, or larger than a network's values may be.
        """
        name = stem(fx_node)
        operands = fx_node.all_input_nodes
        if name == "assert_tensor_metadata":  # which tracing has already made certain
            return True
        if name in _SHAPED_LIKE and operands[0] not in self._values:  # of an activation: without batch
            value: Any = fx_node.args[1] if name == "full_like" else _SHAPED_LIKE[name]
            self._keep(fx_node, torch.full(tuple(fx_node.meta["val"].shape[1:]), value))
            return True
        if name in ("expand_as", "type_as") and operands[0] in self._values:
            # Of an activation: float32, and a product with it broadcasts by itself.
            self._keep(fx_node, self._values[operands[0]].float())
            return True
        if not all(operand in self._values for operand in operands):
            return False
        if fx_node.target is operator.getitem:
            source, index = fx_node.args
            self._keep(fx_node, self._values[source][index])
            return True
        if name not in FOLDED:
            if operands or name.startswith(("rand", "bernoulli")):
                raise refuse(fx_node, "a value of parameters alone must be computed before export")
            return False
        self._keep(fx_node, self._evaluate(fx_node))
        return True

    def _keep(self, fx_node: FxNode, value: Any) -> None:
        path = list((fx_node.meta.get("nn_module_stack") or {"": ("", "")}).values())[-1][0]
        self.add(fx_node, ".".join(filter(None, (str(path), fx_node.name))), value)

    def _evaluate(self, fx_node: FxNode) -> Any:
        arguments = (fx_node.args, dict(fx_node.kwargs))
        try:
            with torch.no_grad():
                self._require_small(fx_node, self._run(fx_node, arguments, meta=True))
                return self._run(fx_node, arguments, meta=False)
        except (RuntimeError, TypeError, ValueError, IndexError, NotImplementedError) as error:
            reason = " ".join(str(error).split())
            raise refuse(fx_node, f"its operands are constants that it cannot take ({reason:.120})") from None

    def _run(self, fx_node: FxNode, arguments: Any, *, meta: bool) -> Any:
        def operand(argument: Any) -> Any:
            value = self._values[argument]
            return value.to("meta") if meta and isinstance(value, torch.Tensor) else value

        args, kwargs = torch.fx.node.map_arg(arguments, operand)
        if any(argument.name == "device" for argument in fx_node.target._schema.arguments):
            kwargs = {**kwargs, "device": torch.device("meta" if meta else "cpu")}
        return fx_node.target(*args, **kwargs)

    def _require_small(self, fx_node: FxNode, result: Any) -> None:
        parts = result if isinstance(result, tuple | list) else (result,)
        count = sum(part.numel() for part in parts if isinstance(part, torch.Tensor))
        if count > MAX_ELEMENTS:
            raise refuse(fx_node, f"it makes a constant of {count} elements; {MAX_ELEMENTS} are possible")
