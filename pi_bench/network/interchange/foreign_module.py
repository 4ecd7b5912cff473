"""A torch module made of the operators that a file lists, each in a submodule of the path that it had."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from pi_bench.errors import ModelError
from pi_bench.network.graph.check import MAX_ELEMENTS
from pi_bench.network.interchange.work_bound import require_little_work

MAX_STEPS = 20_000
MAX_TOTAL_ELEMENTS = 1 << 30
"""Elements of all values of one sample together."""

_TORCH_CLASSES = "torch.nn.modules."


@dataclass(frozen=True, slots=True)
class Ref:
    """An operand: the value of that name.

    >>> Ref("conv_1").name
    'conv_1'
    """

    name: str


@dataclass(frozen=True, slots=True)
class FileOperator:
    """One operator of a file.

    `args` and `kwargs` may hold `Ref`s, in lists too. The results get the names in `outputs` (None: not
    used). `path` and `kind` are the module path and class that the operator had; `operator` is its name in
    the file.

    >>> FileOperator("Relu", torch.relu, (Ref("x"),), {}, ("y",), path="layer1.relu").place
    "operator Relu in module 'layer1.relu'"
    """

    operator: str
    function: Callable[..., Any]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    outputs: tuple[str | None, ...]
    path: str = ""
    kind: str = ""

    @property
    def place(self) -> str:
        """The operator and its module, for messages."""
        return f"operator {self.operator}" + (f" in module {self.path!r}" if self.path else "")

    @property
    def takes_device(self) -> bool:
        """True if the function has a parameter `device`."""
        schema = getattr(self.function, "_schema", None)
        return schema is not None and any(argument.name == "device" for argument in schema.arguments)


class ForeignModule(nn.Module):
    """A torch module that runs the steps of a file.

    If several results have one name, the last one counts, as in the file.

    Args:
        tensors: parameters by name, with dots between modules.
        references: by the name of a value in `steps`, the name of the tensor that it is.
        input_shape: batch first; None where the file leaves a size open.

    >>> steps = [FileOperator("Relu", torch.relu, (Ref("x"),), {}, ("y",))]
    >>> module = ForeignModule("tiny", steps, {}, {}, input_name="x", input_shape=(1, 2), output_name="y")
    >>> module(torch.tensor([[-1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """

    def __init__(
        self,
        name: str,
        steps: Sequence[FileOperator],
        tensors: Mapping[str, torch.Tensor],
        references: Mapping[str, str],
        input_name: str,
        input_shape: tuple[int | None, ...],
        output_name: str,
    ) -> None:
        """Checks the steps.

        Raises:
            ModelError: names that no module can have, or too many steps.
        """
        super().__init__()
        if len(steps) > MAX_STEPS:
            raise ModelError(f"the file has {len(steps)} operators; {MAX_STEPS} are possible")
        self.network_name = name
        self.input_shape = input_shape
        self.left_out: tuple[dict[str, Any], ...] = ()
        self.other_runtime: Any = None
        self._steps = tuple(steps)
        self._element_count = 0  # of values made on shapes alone
        self._references = dict(references)
        self._input_name, self._output_name = input_name, output_name
        for step in steps:
            self._scope(step.path, step.kind)
        for tensor_name, tensor in tensors.items():
            path, _, leaf = tensor_name.rpartition(".")
            try:
                self._scope(path, "").register_buffer(leaf, tensor)
            except (KeyError, TypeError) as error:
                raise ModelError(
                    f"the file has a tensor of the impossible name {tensor_name!r:.80}"
                ) from error

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Runs all steps on x, batch first."""
        values: dict[str, Any] = {self._input_name: x}
        values.update((name, self._tensor(tensor)) for name, tensor in self._references.items())
        for step in self._steps:
            self._run(step, values)
        if self._output_name not in values:
            raise ModelError(f"the file's output {self._output_name!r:.80} is made by no operator")
        result: torch.Tensor = values[self._output_name]
        return result

    def require_bounded(self, example: torch.Tensor) -> None:
        """Runs the steps on shapes alone, so that a hostile file cannot ask for more memory or time than
        networks take.

        Raises:
            ModelError: a value of more than 2^26 elements per sample, more than 2^40 multiply-accumulates
                per sample, or an operator that cannot be applied.
        """
        with torch.no_grad():
            tensors = (*self.parameters(), *self.buffers())
            empty = {id(tensor): tensor.to("meta") for tensor in tensors}
            shapes = copy.deepcopy(self, empty)  # copies no values: large networks have gigabytes
            shapes._element_count = 0
            require_little_work(lambda: shapes(example.to("meta")), len(example))

    def _run(self, step: FileOperator, values: dict[str, Any]) -> None:
        def operand(argument: Any) -> Any:
            if isinstance(argument, Ref):
                if argument.name not in values:
                    raise ModelError(f"{step.place} reads {argument.name!r:.80}, which nothing makes")
                return values[argument.name]
            if isinstance(argument, list | tuple):
                return [operand(item) for item in argument]
            return argument

        args = [operand(argument) for argument in step.args]
        kwargs = {name: operand(argument) for name, argument in step.kwargs.items()}
        x = values[self._input_name]
        if step.takes_device:
            kwargs["device"] = x.device  # also where it is not given: memory is asked for on none but this

        def call() -> Any:
            return step.function(*args, **kwargs)

        try:
            result = self._scope(step.path, step.kind)(call) if step.path else call()
        except ModelError as error:
            raise ModelError(f"{step.place}: {error}") from None
        except Exception as error:  # torch and numpy raise any exception for operands that do not fit
            reason = " ".join(str(error).split()) or type(error).__name__
            raise ModelError(f"{step.place} cannot be applied: {reason:.200}") from None
        results = result if isinstance(result, tuple | list) else (result,)
        for name, value in zip(step.outputs, results, strict=False):
            if isinstance(value, torch.Tensor) and value.is_meta:
                self._element_count += value.numel()
                if value.numel() > MAX_ELEMENTS * len(x):
                    raise ModelError(f"{step.place} makes {value.numel()} elements; too many for a network")
                if self._element_count > MAX_TOTAL_ELEMENTS * len(x):
                    raise ModelError(f"the values up to {step.place} have too many elements for a network")
            if name is not None:
                values[name] = value

    def _tensor(self, name: str) -> torch.Tensor:
        path, _, leaf = name.rpartition(".")
        tensor: torch.Tensor = getattr(self._scope(path, ""), leaf)
        return tensor

    def _scope(self, path: str, kind: str) -> nn.Module:
        """Returns the submodule at `path`, which is made if it is not there."""
        module: nn.Module = self
        parts = path.split(".") if path else []
        for index, part in enumerate(parts):
            if part not in module._modules:
                last = index == len(parts) - 1
                try:
                    module.add_module(part, _scope_of(kind if last else ""))
                except (KeyError, TypeError) as error:
                    raise ModelError(f"the file has a module of the impossible path {path!r:.80}") from error
            found = module._modules[part]
            assert found is not None
            module = found
        return module


class _Scope(nn.Module):
    """A module that runs a given call, so that a trace records the call under this module's path."""

    def forward(self, call: Callable[[], Any]) -> Any:
        return call()


def _scope_of(kind: str) -> nn.Module:
    """Makes a module with the class name of the original, where torch's own classes give their path to an
    operator.
    """
    if not kind.startswith(_TORCH_CLASSES):
        return _Scope()
    home, _, name = kind.rpartition(".")
    made: type[nn.Module] = type(name, (_Scope,), {"__module__": home})
    return made()
