"""The sources that `pi_bench.export` takes: a torch module, an ExportedProgram, or a file."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Any, BinaryIO

import torch

from pi_bench.errors import ModelError
from pi_bench.network.files.torch_file import is_onnx
from pi_bench.network.interchange.foreign_module import ForeignModule
from pi_bench.network.interchange.onnx_graph import read_onnx
from pi_bench.network.interchange.plain_module import unwrapped
from pi_bench.network.interchange.pt2 import read_pt2

_ZIP_MAGIC = b"PK"
MAX_FILE_BYTES = 1 << 32
_MAX_NAME_LENGTH = 256
_VAGUE_NAMES = (
    *("", "network", "model", "Module", "Sequential", "ModuleList", "ModuleDict", "Model"),
    *("GraphModule", "InterpreterModule", "ScriptModule", "RecursiveScriptModule", "OptimizedModule"),
    *("DataParallel", "DistributedDataParallel", "FullyShardedDataParallel"),
    *("main", "main_graph", "graph", "torch_jit", "torch-jit-export", "tf2onnx"),
)


def open_source(source: Any) -> torch.nn.Module | torch.export.ExportedProgram:
    """Returns a module or a program as it is; for a path, reads the network in the file.

    Raises:
        ModelError: it is neither, or no file of a network.

    >>> open_source(torch.nn.ReLU())
    ReLU()
    >>> open_source({"weight": torch.ones(2)})
    Traceback (most recent call last):
    pi_bench.errors.ModelError: the module is a mapping, perhaps a state_dict: ...
    """
    if isinstance(source, str | os.PathLike):
        return read_file(source)
    if isinstance(source, torch.nn.Module | torch.export.ExportedProgram):
        return source
    if isinstance(source, Mapping):
        raise ModelError(
            "the module is a mapping, perhaps a state_dict: build the network, call its load_state_dict() "
            "with it, and give the network"
        )
    raise ModelError(f"the module is of type {type(source).__name__}; a torch.nn.Module is needed")


def network_name(source: torch.nn.Module | torch.export.ExportedProgram, stem: str) -> str:
    """Names a network after its class, also of a module that was traced, or as its file calls it.

    Words that torch or an exporter gives every network ("Sequential", "main_graph") are replaced by `stem`,
    the stem of the network's file.

    >>> network_name(torch.nn.ReLU(), "net"), network_name(torch.nn.Sequential(), "net")
    ('ReLU', 'net')
    """
    name = _own_name(source)
    if name not in _VAGUE_NAMES:
        return name
    return "".join(letter if letter.isprintable() else "_" for letter in stem)[:_MAX_NAME_LENGTH] or "network"


def _own_name(source: torch.nn.Module | torch.export.ExportedProgram) -> str:
    if isinstance(source, torch.export.ExportedProgram):
        stacks = (node.meta.get("nn_module_stack") for node in source.graph.nodes)
        kinds = [next(iter(stack.values()))[1] for stack in stacks if stack]
        return str(kinds[0]).rpartition(".")[2] if kinds else ""
    return source.network_name if isinstance(source, ForeignModule) else type(unwrapped(source)).__name__


def read_file(path: str | os.PathLike[str]) -> ForeignModule:
    """Reads the network in a ``.pt2`` archive or an ONNX file; its content tells which it is.

    Raises:
        ModelError: it cannot be read, is neither, or cannot be lowered.

    >>> read_file("no-such-file.onnx")
    Traceback (most recent call last):
    pi_bench.errors.ModelError: cannot read the network no-such-file.onnx: No such file or directory
    """
    name = os.fspath(path)
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise ModelError(f"{name} is not a regular file: give the path of a .pt2 or .onnx file")
            if status.st_size > MAX_FILE_BYTES:
                raise ModelError(f"{name} is larger than {MAX_FILE_BYTES} bytes, as no network here is")
            return _read(name, file)
    except OSError as error:
        raise ModelError(f"cannot read the network {name}: {error.strerror or error}") from None


def _read(name: str, file: BinaryIO) -> ForeignModule:
    head = file.read(64)
    file.seek(0)
    if head.startswith(_ZIP_MAGIC):
        return read_pt2(name, file)
    if name.lower().endswith(".onnx") or is_onnx(head):
        return read_onnx(name, file)
    raise ModelError(f"{name} is neither a torch.export archive (.pt2) nor an ONNX file")


def example_shape(
    source: torch.nn.Module | torch.export.ExportedProgram, sample_shape: tuple[int, ...] | None
) -> tuple[int, ...]:
    """Returns the shape of an input, batch first, as the file or the program has it; an open batch is 1.

    Args:
        sample_shape: shape of the calibration inputs without batch; it decides the sizes that the source
            leaves open.

    Raises:
        ModelError: an open size that nothing decides, dynamic shapes, or a module that knows no shape.

    >>> module = ForeignModule("tiny", [], {}, {}, "x", input_shape=(None, 3, None, None), output_name="x")
    >>> example_shape(module, sample_shape=(3, 32, 32))
    (1, 3, 32, 32)
    """
    if isinstance(source, torch.export.ExportedProgram):
        return _program_shape(source)
    if not isinstance(source, ForeignModule):
        raise ModelError("a torch module needs an example input: float (batch, channels, height, width)")
    batch, *sizes = source.input_shape
    if None in sizes:
        if sample_shape is None or len(sample_shape) != len(sizes):
            raise ModelError(
                f"the file leaves sizes of its input open {source.input_shape}: calibrate with inputs that "
                "have the shape that you mean"
            )
        sizes = [given if size is None else size for size, given in zip(sizes, sample_shape, strict=True)]
    return (1 if batch is None else batch, *(int(size) for size in sizes if size is not None))


def _program_shape(program: torch.export.ExportedProgram) -> tuple[int, ...]:
    inputs = [node for node in program.graph.nodes if node.name in program.graph_signature.user_inputs]
    if len(inputs) != 1 or not isinstance(inputs[0].meta.get("val"), torch.Tensor):
        raise ModelError("the network has more than one input or output; export a module with one of each")
    value = inputs[0].meta["val"]
    if any(not isinstance(size, int) for size in value.shape):
        raise ModelError("the program has dynamic shapes: export it with fixed ones, without dynamic_shapes")
    if value.dtype != torch.float32:
        raise ModelError(f"the program takes {value.dtype}; export it with a float32 example input")
    return tuple(value.shape)
