"""ReLU masks: finds the combinations of x and relu(x) that are a ReLU of some elements.

Selective network linearization (SNL, Cho et al., ICML 2022) computes mask * relu(x) + (1 - mask) * x. The
coefficients of relu(x) and of x then add up to 1 in every element, and a binary mask makes the first of
them 0 or 1. A mask that is not binary has no private counterpart; the refusal tells its values.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from pi_bench.network.graph import AddNode, BatchNormNode, FlattenNode, Node, ReluNode, ReshapeNode, ScaleNode
from pi_bench.network.lowering.combination import Combination
from pi_bench.network.lowering.combinations import FACTORS, Combinations
from pi_bench.network.lowering.per_channel import is_per_channel, per_channel
from pi_bench.network.lowering.state import FxNode, Lowering, arguments, refuse, stem

_TOLERANCE = 1e-5
_NUMBER = "a factor or shift of it"
"""The coefficients of a mask and its complement, computed in float32, may miss a sum of 1 by this."""


class MaskLowering:
    """Makes nodes of the combinations of one trace; the nodes cite `masks` and `parameters`.

    >>> import torch
    >>> from pi_bench.network.lowering import lower
    >>> class Masked(torch.nn.Module):
    ...     def forward(self, x):
    ...         return torch.where(torch.tensor([True, False]), torch.relu(x), x)
    >>> lower(Masked(), torch.zeros(1, 2)).masks
    {'masked_relu.mask': array([ True, False])}
    """

    def __init__(self, lowering: Lowering, combinations: Combinations) -> None:
        self._lowering = lowering
        self._combinations = combinations
        self.masks: dict[str, np.ndarray] = {}
        self.parameters: dict[str, np.ndarray] = {}

    def take(self, call: FxNode) -> bool:
        """Takes the call if it is linear in activations; False leaves the call to others.

        Raises:
            ModelError: the call is linear, and cannot be lowered.
        """
        given = arguments(call)
        self._lower_factors(call, given)
        combination = self._combinations.collect(call, given)
        if combination is None:
            return False
        found = self._recognized(call, combination)
        if found is not None:
            self._lowering.values[call] = found
        elif len(call.users) > 1 and self._is_one_value(combination):
            self._lower(call)  # so that each reader sees the same value, not its parts
        return True

    def _is_one_value(self, combination: Combination) -> bool:
        """Tells if it is a scaled value or a sum of different ones, and no part of a masked ReLU or a
        polynomial.
        """
        powers = self._combinations.powers
        return not any(name in powers for name in combination.coefficients) and (
            len(combination.coefficients) == 1 or len(powers.sources(combination)) > 1
        )

    def _lower_factors(self, call: FxNode, given: dict[str, Any]) -> None:
        """Makes one node of a sum of different values that is a factor of a product, so that the power is of
        the sum.
        """
        factors = {
            given[name]: self._combinations.activation(given[name]) for name in FACTORS.get(stem(call), ())
        }
        if None in factors.values():
            return
        for factor, combination in factors.items():
            several = combination is not None and len(self._combinations.powers.sources(combination)) > 1
            if several and factor not in self._lowering.values:
                self._lower(factor)

    def lower_operands(self, call: FxNode) -> None:
        """Makes nodes of the combinations that `call`, an operator of another kind, reads.

        Raises:
            ModelError: a mask that is not binary, or coefficients that differ inside a channel.
        """
        for operand in call.all_input_nodes:
            if operand in self._combinations and operand not in self._lowering.values:
                self._lower(operand)

    def _recognized(self, call: FxNode, combination: Combination) -> Node | None:
        """Returns the node that equals the combination: a value, a ReLU, or a masked ReLU."""
        if combination.constant.any():
            return None
        coefficients = combination.coefficients
        if len(coefficients) == 1:
            ((name, coefficient),) = coefficients.items()
            return self._lowering.node(name) if np.all(coefficient == 1) else None
        pairs = self._pairs(combination)
        if len(coefficients) != 2 or len(pairs) != 1:
            return None
        relu, source = pairs[0]
        kept = coefficients[relu.name]
        if not np.all((kept == 0) | (kept == 1)) or not np.all(kept + coefficients[source.name] == 1):
            return None
        return self._masked(call, source, kept)

    def _lower(self, call: FxNode) -> None:
        combination = self._combinations.powers.take(call, self._combinations[call])
        coefficients = dict(combination.coefficients)
        summands: list[Node] = []
        for relu, source in self._pairs(combination):
            kept, rest = coefficients[relu.name], coefficients[source.name]
            if not np.all(np.abs(kept + rest - 1) <= _TOLERANCE):
                continue
            _require_binary(call, kept)
            del coefficients[relu.name], coefficients[source.name]
            summands.append(self._masked(call, source, np.rint(kept)))
        constant = combination.constant
        for name, coefficient in coefficients.items():
            node = self._lowering.node(name)
            summands.append(self._scaled(call, node, coefficient, constant, literal=combination.literal))
            constant = np.zeros(())
        if not summands:
            raise refuse(call, "its value does not depend on the network's input")
        if constant.any():
            ones = np.ones(())
            summands[0] = self._scaled(call, summands[0], ones, constant, literal=combination.literal)
        total = summands[0]
        for summand in summands[1:]:
            total = self._lowering.append(
                AddNode(self._lowering.name(call, "add"), (total.name, summand.name), total.shape)
            )
        self._lowering.values[call] = total

    def _pairs(self, combination: Combination) -> list[tuple[Node, Node]]:
        """Lists (relu(x), x) for each x of which the combination has both."""
        nodes = [self._lowering.node(name) for name in combination.coefficients]
        relus = [node for node in nodes if isinstance(node, ReluNode) and node.mask is None]
        by_name = {node.name: node for node in nodes}
        return [(relu, by_name[relu.inputs[0]]) for relu in relus if relu.inputs[0] in by_name]

    def _masked(self, call: FxNode, source: Node, kept: np.ndarray) -> Node:
        mask = np.broadcast_to(kept, source.shape) == 1
        name = self._lowering.name(call, "masked_relu")
        self.masks[f"{name}.mask"] = mask.copy()
        return self._lowering.append(ReluNode(name, (source.name,), source.shape, f"{name}.mask"))

    def _scaled(
        self, call: FxNode, node: Node, gain: np.ndarray, shift: np.ndarray, *, literal: bool
    ) -> Node:
        """Computes gain * node + shift: a batch normalization with statistics 0 and 1 unless both are
        literals. Where they differ inside of a channel, each element becomes a channel of its own for this.
        """
        if np.all(gain == 1) and not shift.any():
            return node
        if literal and gain.size == shift.size == 1 and np.isfinite(gain).all() and np.isfinite(shift).all():
            name = self._lowering.name(call, "scale")
            numbers = float(gain.item()), float(shift.item())
            return self._lowering.append(ScaleNode(name, (node.name,), node.shape, *numbers))
        shape = node.shape
        gain, shift = np.broadcast_to(gain, shape), np.broadcast_to(shift, shape)
        if not (is_per_channel(gain) and is_per_channel(shift)):
            gain, shift = gain.reshape(-1), shift.reshape(-1)
            flat = FlattenNode(self._lowering.name(call, "flatten"), (node.name,), gain.shape)
            node = self._lowering.append(flat)
        channels = len(gain)
        name = self._lowering.name(call, "scale")
        values = {
            "weight": per_channel(call, gain, _NUMBER),
            "bias": per_channel(call, shift, _NUMBER),
            "mean": np.zeros(channels, np.float32),
            "variance": np.ones(channels, np.float32),
        }
        self.parameters.update({f"{name}.{key}": value for key, value in values.items()})
        cited = {key: f"{name}.{key}" for key in values}
        scaled = self._lowering.append(BatchNormNode(name, (node.name,), node.shape, **cited, epsilon=0.0))
        if scaled.shape == shape:
            return scaled
        return self._lowering.append(ReshapeNode(self._lowering.name(call, "reshape"), (scaled.name,), shape))


def _require_binary(call: FxNode, kept: np.ndarray) -> None:
    """Checks that a mask has only zeros and ones.

    Raises:
        ModelError: the message tells how many elements are neither 0 nor 1, and the range.
    """
    odd = ~(np.minimum(np.abs(kept), np.abs(kept - 1)) <= _TOLERANCE)
    if odd.any():
        raise refuse(
            call,
            f"{np.count_nonzero(odd):,} of {odd.size:,} elements of its ReLU mask are neither 0 nor 1 (they "
            f"lie between {kept.min():.4g} and {kept.max():.4g}); binarize the mask, for instance with "
            "(mask > 0.5).float(), and finetune before export",
        )
