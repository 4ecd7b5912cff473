"""Reads a pickle as data: no class is imported and no function of the file is called.

A pickle is a program for a small stack machine. Here its operations build plain values (numbers, text,
lists, tuples, mappings). Whatever else it names becomes a `Placeholder`, unless the caller knows how to build
it. Each operation is bounded, and so is their number, so that time and memory are bounded for any file.
"""

from __future__ import annotations

import pickletools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

MAX_OPERATIONS = 2_000_000
_LITERALS = frozenset(
    (
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "STRING"),
        *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8", "UNICODE"),
        *("BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    )
)
_EMPTY: Mapping[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": list,  # the members of a set need not be hashable here
}
_MARK = object()
Builder = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Name:
    """The name of a class or function in a pickle, such as ``collections.OrderedDict``.

    >>> Name("collections.OrderedDict").path
    'collections.OrderedDict'
    """

    path: str


class TooManyOperations(ValueError):
    """A pickle has more operations than `MAX_OPERATIONS`.

    >>> issubclass(TooManyOperations, ValueError)
    True
    """


@dataclass(slots=True, eq=False, repr=False)
class Placeholder:
    """An object of a pickle that was not made: the name of its class or function, and its parts as data.

    >>> Placeholder("argparse.Namespace", state={"lr": 0.1}).path
    'argparse.Namespace'
    """

    path: str
    arguments: tuple[Any, ...] = ()
    state: Any = None
    entries: dict[str, Any] = field(default_factory=dict)


def read_pickle(
    file: BinaryIO, builders: Mapping[str, Builder], persistent: Callable[[Any], Any] | None = None
) -> Any:
    r"""Reads one pickle from `file`, whose position is then after it.

    Mappings keep the entries whose keys are text; sets become lists.

    Args:
        builders: functions of this program, by the name in the pickle that they stand for. They get the
            arguments that the pickle gives.
        persistent: returns the object of an identifier that the pickle refers to.

    Raises:
        TooManyOperations: the pickle has more than `MAX_OPERATIONS`.
        Exception: the pickle is malformed; its parts decide which error it is.

    >>> import argparse, io, pickle
    >>> content = read_pickle(io.BytesIO(pickle.dumps({"lr": 0.1, "args": argparse.Namespace(x=1)})), {})
    >>> content["lr"], content["args"].path
    (0.1, 'argparse.Namespace')
    """
    machine = _Machine(builders, persistent)
    for count, (operation, argument, _) in enumerate(pickletools.genops(file)):
        if count >= MAX_OPERATIONS:
            raise TooManyOperations
        if operation.name == "STOP":
            return machine.pop()
        machine.run(operation.name, argument)
    raise ValueError("no end")


class _Machine:
    def __init__(self, builders: Mapping[str, Builder], persistent: Callable[[Any], Any] | None) -> None:
        self._builders = builders
        self._persistent = persistent
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._rules: dict[str, Callable[[], None]] = {
            "MARK": lambda: self._stack.append(_MARK),
            "POP": self._drop,
            "POP_MARK": lambda: self._marked().clear(),
            "DUP": lambda: self._stack.append(self._stack[-1]),
            "LIST": lambda: self._stack.append(self._marked()),
            "FROZENSET": lambda: self._stack.append(self._marked()),
            "TUPLE": lambda: self._stack.append(tuple(self._marked())),
            "TUPLE1": lambda: self._tuple(1),
            "TUPLE2": lambda: self._tuple(2),
            "TUPLE3": lambda: self._tuple(3),
            "DICT": self._dict,
            "APPEND": lambda: self._extend([self.pop()]),
            "APPENDS": lambda: self._extend(self._marked()),
            "ADDITEMS": lambda: self._extend(self._marked()),
            "SETITEM": self._set_item,
            "SETITEMS": lambda: self._set_items(self._marked()),
            "MEMOIZE": lambda: self._memo.__setitem__(len(self._memo), self._stack[-1]),
            "STACK_GLOBAL": self._global,
            "REDUCE": self._reduce,
            "NEWOBJ": self._reduce,
            "NEWOBJ_EX": self._new_with_keywords,
            "OBJ": self._object,
            "BUILD": self._build,
            "BINPERSID": lambda: self._stack.append(self._of_identifier(self.pop())),
        }

    def pop(self) -> Any:
        value = self._stack.pop()
        if value is _MARK:
            raise ValueError("a mark is no value")
        return value

    def run(self, name: str, argument: Any) -> None:
        if name in _LITERALS:
            self._stack.append(argument)
        elif name in _EMPTY:
            self._stack.append(_EMPTY[name]())
        elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
            self._memo[argument] = self._stack[-1]
        elif name in ("BINGET", "LONG_BINGET", "GET"):
            self._stack.append(self._memo[argument])
        elif name == "GLOBAL":
            self._stack.append(Name(argument.replace(" ", ".", 1)))
        elif name == "INST":
            self._stack.append(self._made(Name(argument.replace(" ", ".", 1)), tuple(self._marked())))
        elif name == "PERSID":
            self._stack.append(self._of_identifier(argument))
        elif name in self._rules:
            self._rules[name]()
        elif name not in ("PROTO", "FRAME"):
            raise ValueError(f"operation {name}")

    def _marked(self) -> list[Any]:
        """Takes the objects above the last mark."""
        above = []
        while (value := self._stack.pop()) is not _MARK:
            above.append(value)
        return above[::-1]

    def _drop(self) -> None:
        self._stack.pop()

    def _tuple(self, count: int) -> None:
        parts = [self.pop() for _ in range(count)]
        self._stack.append(tuple(parts[::-1]))

    def _dict(self) -> None:
        parts = self._marked()
        self._stack.append({})
        self._set_items(parts)

    def _extend(self, values: list[Any]) -> None:
        target = self._stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, Placeholder):
            raise ValueError("no list")

    def _set_item(self) -> None:
        value, key = self.pop(), self.pop()
        self._set_items([key, value])

    def _set_items(self, parts: list[Any]) -> None:
        """Sets the entries whose keys are text: keys of other types could be made to collide."""
        target = self._stack[-1]
        entries = target.entries if isinstance(target, Placeholder) else target
        if not isinstance(entries, dict):
            raise ValueError("no mapping")
        entries.update((k, v) for k, v in zip(parts[::2], parts[1::2], strict=True) if type(k) is str)

    def _global(self) -> None:
        name, module = self.pop(), self.pop()
        self._stack.append(Name(f"{module:.200}.{name:.200}"))

    def _reduce(self) -> None:
        arguments, callee = self.pop(), self.pop()
        self._stack.append(self._made(callee, arguments))

    def _new_with_keywords(self) -> None:
        _, arguments, callee = self.pop(), self.pop(), self.pop()
        self._stack.append(self._made(callee, arguments))

    def _object(self) -> None:
        callee, *arguments = self._marked()
        self._stack.append(self._made(callee, tuple(arguments)))

    def _made(self, callee: Any, arguments: Any) -> Any:
        if not isinstance(arguments, tuple):
            raise ValueError("no arguments")
        path = callee.path if isinstance(callee, Name | Placeholder) else "an unknown function"
        builder = self._builders.get(path) if isinstance(callee, Name) else None
        return Placeholder(path, arguments) if builder is None else builder(*arguments)

    def _build(self) -> None:
        state, target = self.pop(), self._stack[-1]
        if isinstance(target, Placeholder):
            target.state = state

    def _of_identifier(self, identifier: Any) -> Any:
        if self._persistent is None:
            raise ValueError("a reference to nothing")
        return self._persistent(identifier)
