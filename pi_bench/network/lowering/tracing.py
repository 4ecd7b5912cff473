"""Traces a module with torch.export, as it is in inference, and tells where torch gave up."""

from __future__ import annotations

import io
import logging
import operator
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch

from pi_bench.errors import ModelError
from pi_bench.network.lowering.state import refuse


def traced(
    module: torch.nn.Module | torch.export.ExportedProgram, example_input: torch.Tensor
) -> torch.export.ExportedProgram:
    """Traces `module` with torch.export: functional, with the operators of the user's code whole.

    Raises:
        ModelError: torch.export cannot trace it; the message has the module and the reason.

    >>> program = traced(torch.nn.ReLU(), torch.zeros(1, 2))
    >>> [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    ['aten.relu.default']
    """
    # torch prints its whole graph to stderr when it gives up; the error has all that a user needs.
    silence = redirect_stderr(io.StringIO())
    quiet = warnings.catch_warnings()
    with _inference(module), quiet, silence, _quiet_logs(), _without_stacks(), torch.no_grad():
        warnings.simplefilter("ignore")  # torch deprecates its own internals while it exports
        try:
            if isinstance(module, torch.nn.Module):
                module = torch.export.export(module, (example_input,))
            functional: torch.export.ExportedProgram = (
                module if _is_functional(module) else module.run_decompositions({})
            )
            return functional
        except Exception as error:  # whatever the user's forward raises is the user's to read
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            path = _where_it_fails(module, example_input)
            place = f"module {path!r}" if path else "the network"
            raise ModelError(
                f"torch.export cannot trace {place}: {reason:.200}; write forward() without Python "
                "branches on tensor values and try torch.export.export(module, (example_input,)) by itself"
            ) from error


_WHOLE = frozenset(
    f"aten.{name}"
    for name in (
        *("adaptive_avg_pool2d.default", "batch_norm.default", "contiguous.default", "conv1d.default"),
        *("conv2d.default", "conv_transpose2d.input", "flatten.using_ints", "linear.default"),
        *("matmul.default", "max_pool2d.default", "pad.default", "reshape.default", "to.dtype"),
    )
)
"""Operators that consist of others, which change no value in place here. The lowering knows them."""


def _is_functional(program: torch.export.ExportedProgram) -> bool:
    """Returns whether the lowering can read a program as it was traced.

    Most networks are. Making a program functional takes three times as long as tracing it.
    """
    return all(_stays_whole(node) for node in program.graph.nodes if node.op == "call_function")


def _stays_whole(call: torch.fx.Node) -> bool:
    """Returns whether a call changes no value in place, and stays one call in a functional program."""
    target = call.target
    if target is operator.getitem:  # of a call with several results
        return True
    if target is torch.ops.aten._assert_tensor_metadata.default:
        return True
    if not isinstance(target, torch._ops.OpOverload) or not call.users:  # a functional program drops those
        return False
    if target is torch.ops.aten.batch_norm.default and call.args[_TRAINING]:
        return False
    if str(target) in _WHOLE:
        return True
    return not (target._schema.is_mutable or target.has_kernel_for_dispatch_key(_COMPOSITE))


_TRAINING = 5  # the place of an argument of aten.batch_norm
_COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


def require_straight(program: torch.export.ExportedProgram) -> None:
    """Checks that the program has no branches or loops, and no shapes that depend on values.

    Raises:
        ModelError: the message names the operator.

    >>> require_straight(traced(torch.nn.ReLU(), torch.zeros(1, 2)))
    """
    for fx_node in program.graph.nodes:
        if isinstance(fx_node.target, torch._ops.HigherOrderOperator):
            raise refuse(
                fx_node, "control flow on values has no private counterpart; write forward() without it"
            )
        value = fx_node.meta.get("val")
        sizes = value.shape if isinstance(value, torch.Tensor) else ()
        if isinstance(value, torch.SymInt | torch.SymFloat | torch.SymBool) or not all(
            isinstance(size, int) for size in sizes
        ):
            raise refuse(fx_node, "its shape or value depends on the input's values; keep shapes fixed")


@contextmanager
def _quiet_logs() -> Iterator[None]:
    """Suppress torch's logs of a failed trace; the error has their content."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


@contextmanager
def _without_stacks() -> Iterator[None]:
    """Keeps torch from noting the Python stack of each operator, which nothing here reads.

    Formatting the stacks takes a tenth of a trace's time, and more where the caller's stack is deep. Versions
    of torch that lack the setting do not read it.
    """
    config: Any = torch.fx.config
    before = getattr(config, _NO_STACKS, False)
    setattr(config, _NO_STACKS, True)
    try:
        yield
    finally:
        setattr(config, _NO_STACKS, before)


_NO_STACKS = "do_not_emit_stack_traces"


@contextmanager
def _inference(module: torch.nn.Module | torch.export.ExportedProgram) -> Iterator[None]:
    """Puts `module` in evaluation, then restores each submodule's mode; a program is left as it is."""
    if isinstance(module, torch.export.ExportedProgram):
        yield
        return
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


def _where_it_fails(
    module: torch.nn.Module | torch.export.ExportedProgram, example_input: torch.Tensor
) -> str:
    """Returns the path of the module whose forward() cannot be traced; "" for the outermost one.

    It traces once more, with hooks, which some operators do not support.
    """
    if isinstance(module, torch.export.ExportedProgram):
        return ""
    names = {id(part): name for name, part in module.named_modules()}
    paths: list[str] = []

    def enter(part: torch.nn.Module, inputs: object) -> None:
        paths.append(names.get(id(part), ""))

    def leave(part: torch.nn.Module, inputs: object, result: object) -> None:
        paths.pop()

    handles = [
        torch.nn.modules.module.register_module_forward_pre_hook(enter),
        torch.nn.modules.module.register_module_forward_hook(leave),
    ]
    try:
        torch.export.export(module, (example_input,))
    except Exception:  # as before
        return paths[-1] if paths else ""
    finally:
        for handle in handles:
            handle.remove()
    return ""
