"""Allots places in a tree of modules to the names of an ONNX file, which may be any texts."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Mapping
from typing import Any

from pi_bench.network.interchange.foreign_module import ForeignModule

_NAMED_BY_MODULE = "torch.nn.modules.onnx."
_SCOPES, _CLASSES = "pkg.torch.onnx.name_scopes", "pkg.torch.onnx.class_hierarchy"
_WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "PRelu")
_MAX_PARTS = 12
_MAX_LETTERS = 80
_RESERVED = frozenset((*dir(ForeignModule("", [], {}, {}, "", (), "")), *keyword.kwlist, "self"))
"""Attributes that a module has already, and words that the code of a trace cannot use as names."""


class Names:
    """The places that are taken: paths of tensors, and paths of modules, which are never the same.

    The dots of a name stay, since they are module paths in the files of most exporters. Names that collide
    get a number, as in ``conv1`` next to the tensor ``conv1.weight``.

    >>> names = Names()
    >>> names.tensor("conv1.weight"), names.tensor("conv1"), names.tensor("conv1.weight.scale")
    ('conv1.weight', 'conv1_2', 'conv1.weight_2.scale')
    >>> names.module("conv1_2.act"), names.module("conv1")
    ('conv1_2_2.act', 'conv1')
    """

    def __init__(self) -> None:
        self._tensors: set[str] = set()
        self._modules: set[str] = set()
        self._moved: dict[str, str] = {}
        self._numbers: dict[str, int] = {}

    def tensor(self, name: str) -> str:
        """Allots a path of its own to the tensor `name`."""
        *above, leaf = _parts(name) or ["initializer"]
        path = _joined(self._modules_at(above), leaf)
        own = self._free(path, (self._tensors, self._modules))
        self._tensors.add(own)
        return own

    def module(self, path: str) -> str:
        """Returns the path of the module at `path`, moved aside where a tensor has its place."""
        return self._modules_at(_parts(path))

    def _modules_at(self, parts: list[str]) -> str:
        path = ""
        for part in parts:
            path = _joined(path, part)
            if path in self._tensors:
                if path not in self._moved:
                    self._moved[path] = self._free(path, (self._tensors,))
                path = self._moved[path]
            self._modules.add(path)
        return path

    def _free(self, path: str, taken: tuple[Collection[str], ...]) -> str:
        """Returns `path`, numbered if it is taken; the numbers that were tried are not tried again."""
        own = path
        while any(own in names for names in taken):
            number = self._numbers[path] = self._numbers.get(path, 1) + 1
            own = f"{path}_{number}"
        return own


def place_of(node: Any, references: Mapping[str, str]) -> tuple[str, str]:
    """Returns (path, class) of the module that a node was.

    The name of its weights tells it, or the notes of torch's exporter, or the node's own name
    (`/layer1/conv/Conv`).

    Args:
        references: name of a value → path of the tensor that it is.

    >>> from onnx import helper
    >>> place_of(helper.make_node("Relu", ["x"], ["y"], name="/layer1/act/Relu"), {})
    ('layer1.act', 'torch.nn.modules.onnx.Relu')
    """
    path, kind = "", _NAMED_BY_MODULE + node.op_type
    notes = {entry.key: re.findall(r"'([^']*)'", entry.value) for entry in node.metadata_props}
    scopes, classes = notes.get(_SCOPES, []), notes.get(_CLASSES, [])
    weights = [name for name in node.input if "." in references.get(name, "")]
    if weights and node.op_type in _WEIGHTED:
        return references[weights[0]].rpartition(".")[0], kind
    if len(scopes) > 1 and len(scopes) == len(classes):
        return scopes[-2], classes[-2]
    if not node.name.startswith("/"):
        return re.sub(r"\W", "_", node.name), kind
    for part in node.name.split("/")[1:-1][:_MAX_PARTS]:
        path = part if not path or part.startswith(f"{path}.") else f"{path}.{part}"
    return path, kind


def _parts(name: str) -> list[str]:
    parts = [re.sub(r"[^0-9A-Za-z_]", "_", part[:_MAX_LETTERS]) for part in name.split(".") if part]
    if len(parts) > _MAX_PARTS:  # torch walks modules by recursion
        parts = [*parts[: _MAX_PARTS - 1], "_".join(parts[_MAX_PARTS - 1 :])[:_MAX_LETTERS]]
    return [f"n{part}" if part in _RESERVED or part.startswith("_") else part for part in parts]


def _joined(path: str, part: str) -> str:
    return f"{path}.{part}" if path else part
