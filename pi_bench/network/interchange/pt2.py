"""Makes a torch module of a torch.export archive (``.pt2``): operators of a fixed list, on its tensors."""

from __future__ import annotations

import re
from typing import Any, BinaryIO

import torch

from pi_bench.errors import ModelError
from pi_bench.network.interchange.foreign_module import FileOperator, ForeignModule, Ref
from pi_bench.network.interchange.pt2_archive import Archive, dtype_of, read_archive
from pi_bench.network.lowering.advice import advice
from pi_bench.network.lowering.names import is_known

_TARGET = re.compile(r"torch\.ops\.aten\.(\w+)\.(\w+)")
_MEMORY_FORMATS = {1: torch.contiguous_format, 2: torch.channels_last, 4: torch.preserve_format}
_PLAIN: dict[str, tuple[type, ...]] = {
    "as_int": (int,),
    "as_float": (int, float),
    "as_bool": (bool,),
    "as_string": (str,),
}
_DYNAMIC = "has dynamic shapes: export it with fixed ones, without dynamic_shapes"


def read_pt2(name: str, file: BinaryIO) -> ForeignModule:
    """Reads the network in the archive `file`.

    Raises:
        ModelError: it is damaged, holds control flow, dynamic shapes, several inputs or outputs, or an
            operator that is not supported; the message has the module path and a remedy.

    >>> import io
    >>> file = io.BytesIO()
    >>> torch.export.save(torch.export.export(torch.nn.ReLU(), (torch.zeros(1, 2),)), file)
    >>> read_pt2("tiny.pt2", file)(torch.tensor([[-1.0, 2.0]])).tolist()
    [[0.0, 2.0]]
    """
    archive = read_archive(name, file)
    try:
        return _Translation(name, archive).module()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        raise ModelError(
            f"{name}: its graph is not as torch.export.save writes it; save it again with torch.export.save"
        ) from None


class _Translation:
    def __init__(self, name: str, archive: Archive) -> None:
        self._name = name
        self._tensors = archive.tensors
        self._graph = archive.program["graph_module"]["graph"]
        self._signature = archive.program["graph_module"]["signature"]

    def module(self) -> ForeignModule:
        references: dict[str, str] = {}
        inputs: list[str] = []
        for spec in self._signature["input_specs"]:
            ((kind, entry),) = spec.items()
            if kind == "user_input":
                inputs.append(self._user_input(entry["arg"]))
            elif kind in ("parameter", "buffer", "tensor_constant"):
                references[_text(entry["arg"]["name"])] = _text(entry[f"{kind}_name"])
            else:
                raise ModelError(
                    f"{self._name} takes an input of kind {kind!r:.40}; networks of tensors alone are "
                    "supported"
                )
        specs = self._signature["output_specs"]
        outputs = [spec["user_output"] for spec in specs if "user_output" in spec]
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{self._name} has {len(inputs)} inputs and {len(outputs)} outputs; "
                "export a module with one of each"
            )
        missing = [tensor for tensor in references.values() if tensor not in self._tensors]
        if missing:
            raise ModelError(f"{self._name} lacks the tensor {missing[0]!r:.80}: save it again")
        return ForeignModule(
            name=self._network_name(),
            steps=[self._step(node) for node in self._graph["nodes"]],
            tensors={tensor: self._tensors[tensor] for tensor in dict.fromkeys(references.values())},
            references=references,
            input_name=inputs[0],
            input_shape=self._input_shape(inputs[0]),
            output_name=_text(outputs[0]["arg"]["as_tensor"]["name"]),
        )

    def _user_input(self, argument: dict[str, Any]) -> str:
        if "as_tensor" not in argument:
            raise ModelError(f"{self._name} takes an input that is no tensor; export a module of one tensor")
        name = _text(argument["as_tensor"]["name"])
        dtype = self._graph["tensor_values"][name]["dtype"]
        if dtype_of(dtype) != torch.float32:
            raise ModelError(f"{self._name} takes {dtype_of(dtype)}; export it with a float32 example input")
        return name

    def _input_shape(self, name: str) -> tuple[int | None, ...]:
        """Returns the input's shape; a symbolic batch axis is left open, and no operator may depend on it
        (`_argument`).
        """
        sizes = [size.get("as_int") for size in self._graph["tensor_values"][name]["sizes"]]
        if None in sizes[1:]:
            raise ModelError(f"{self._name} {_DYNAMIC}")
        return tuple(sizes)

    def _network_name(self) -> str:
        stacks = (self._modules(node) for node in self._graph["nodes"])
        kinds = [stack[0][1].rpartition(".")[2] for stack in stacks if stack]
        return kinds[0] if kinds else ""

    def _modules(self, node: dict[str, Any]) -> list[tuple[str, str]]:
        """Lists (path, class) of each module around the operator, from the outside in."""
        text = node.get("metadata", {}).get("nn_module_stack", "")
        entries = [entry.split(",") for entry in text.split(";") if entry]
        return [(entry[1], entry[2]) for entry in entries if len(entry) == 3]

    def _step(self, node: dict[str, Any]) -> FileOperator:
        stack = self._modules(node)
        path, kind = stack[-1] if stack else ("", "")
        if not all(re.fullmatch(r"\w+", part) for part in path.split(".")):
            path, kind = "", ""
        place = f"in module {path!r}" if path else "in the network's forward()"
        match = _TARGET.fullmatch(node["target"])
        stem = match.group(1) if match else node["target"].rpartition(".")[2]
        if match is None or not is_known(stem):
            raise ModelError(f"operator {stem:.60} {place} cannot be lowered: {advice(stem)}")
        function = getattr(getattr(torch.ops.aten, stem), match.group(2))
        where = f"operator {stem} {place}"
        return FileOperator(
            operator=stem,
            function=function,
            args=(),
            kwargs={_text(entry["name"]): self._argument(where, entry["arg"]) for entry in node["inputs"]},
            outputs=self._results(where, node["outputs"]),
            path=path,
            kind=kind,
        )

    def _results(self, where: str, entries: list[dict[str, Any]]) -> tuple[str | None, ...]:
        if len(entries) == 1 and "as_tensors" in entries[0]:
            return tuple(_text(entry["name"]) for entry in entries[0]["as_tensors"])
        if all("as_tensor" in entry or "as_none" in entry for entry in entries):
            made = [entry.get("as_tensor") for entry in entries]
            return tuple(None if value is None else _text(value["name"]) for value in made)
        raise ModelError(f"{where} makes a number; {self._name} {_DYNAMIC}")

    def _argument(self, where: str, argument: dict[str, Any]) -> Any:
        ((kind, value),) = argument.items()
        if kind in _PLAIN and isinstance(value, _PLAIN[kind]):
            return value
        if kind in ("as_ints", "as_floats", "as_bools") and all(isinstance(v, int | float) for v in value):
            return list(value)
        match kind:
            case "as_tensor":
                return Ref(_text(value["name"]))
            case "as_tensors":
                return [Ref(_text(entry["name"])) for entry in value]
            case "as_none":
                return None
            case "as_optional_tensors":
                entries = [entry.get("as_tensor") for entry in value]
                return [None if entry is None else Ref(_text(entry["name"])) for entry in entries]
            case "as_scalar_type":
                return dtype_of(value)
            case "as_device":
                return torch.device("cpu")
            case "as_layout":
                return torch.strided
            case "as_memory_format":
                return _MEMORY_FORMATS[value]
        if "sym" in kind:
            raise ModelError(f"{where} depends on a shape; {self._name} {_DYNAMIC}")
        if kind == "as_graph":
            raise ModelError(f"{where} is control flow: write forward() without it")
        raise ModelError(f"{where} takes {kind!r:.40}, which networks here do not have")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
