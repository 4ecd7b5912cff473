"""Handles Ctrl-C and SIGTERM while a command runs: at once, except where an exception would do harm.

An exception that a signal raises inside the initialization of an extension module reaches code of C that
reports it as a failed import, or aborts the process. So signals wait until such an import has ended. Python
reports and forgets an exception within a finalizer or a callback of a weak reference, of which the import of
any module has some. So such an interruption comes again a moment later.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from pi_bench.errors import (
    EXIT_INTERRUPTED,
    EXIT_TERMINATED,
    Terminated,
    interruption_code,
    interruption_word,
)

if TYPE_CHECKING:  # importlib.abc takes time to load: it loads resources, tempfile and inspect
    from importlib.abc import Loader

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_NATIVE = "pi_bench._native"
_LIBRARIES = frozenset({"matplotlib", "msgspec", "numpy", "onnx", "ray", "scipy", "sklearn", "torch"})
_AT_ONCE = 3
_AGAIN_S = 0.01


class Interruptions:
    """Signal handler of one command, and a context that installs it.

    The first signal raises `KeyboardInterrupt` (`Terminated` for SIGTERM), and the command keeps its finished
    work. The second one raises it again, so that the command gives up the results that it has not written
    yet. The third one ends the process at once.

    Signals are held from the start of the context until `release`. While they are held, the first two wait.

    Args:
        whole_process: the process ends with the command, so the handlers stay installed at the end of the
            context.

    >>> with Interruptions() as interruptions:
    ...     interruptions.release()
    ...     try:
    ...         signal.raise_signal(signal.SIGINT)
    ...     except KeyboardInterrupt:
    ...         print("interrupted")
    interrupted
    """

    def __init__(self, *, whole_process: bool = False) -> None:
        self._whole_process = whole_process
        self._held = 1
        self._count = 0
        self._waiting: int | None = None
        self._before: dict[int, Any] = {}
        self._finder = _Finder(self)
        self._unraisable_before = sys.unraisablehook

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # no other thread can have handlers
            for number in _SIGNALS:
                # A shell that starts a command in the background makes it ignore Ctrl-C.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._handle)
        sys.meta_path.insert(0, self._finder)
        self._unraisable_before, sys.unraisablehook = sys.unraisablehook, self._unraisable
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.meta_path.remove(self._finder)
        sys.unraisablehook = self._unraisable_before
        if self._whole_process:
            return
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def held(self) -> bool:
        """Whether signals wait."""
        return self._held > 0

    def hold(self) -> None:
        """Makes signals wait until `release`. Holds can be nested."""
        self._held += 1

    def release(self) -> None:
        """Ends a hold.

        Raises:
            KeyboardInterrupt: a signal waited for the end of the last hold.
        """
        self._held -= 1
        if not self._held and self._waiting is not None:
            number, self._waiting = self._waiting, None
            _interrupt(number)

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """Makes signals wait until the end of the context, which raises `KeyboardInterrupt` for them."""
        self.hold()
        try:
            yield
        finally:
            self.release()

    def _handle(self, number: int, frame: object) -> None:
        self._count += 1
        if self._count >= _AT_ONCE:
            os._exit(EXIT_TERMINATED if number == signal.SIGTERM else EXIT_INTERRUPTED)
        if self._held:
            self._waiting = number
        else:
            _interrupt(number)

    def _unraisable(self, unraisable: sys.UnraisableHookArgs) -> None:
        """Lets an interruption that Python would forget come again, from a timer: here it would be forgotten
        too.
        """
        in_main = threading.current_thread() is threading.main_thread()
        if not in_main or not isinstance(unraisable.exc_value, KeyboardInterrupt):
            self._unraisable_before(unraisable)
            return
        number = signal.SIGTERM if isinstance(unraisable.exc_value, Terminated) else signal.SIGINT

        def again(_number: int, _frame: object) -> None:
            signal.signal(signal.SIGALRM, before)
            self._count -= 1  # it is the same signal
            self._handle(number, None)

        before = signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S)


def _interrupt(number: int) -> None:
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt


class _Finder:
    """Finds extension modules as the other finders do, and holds signals while they are loaded."""

    def __init__(self, interruptions: Interruptions) -> None:
        self._interruptions = interruptions

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if self._interruptions.held or (name != _NATIVE and name.partition(".")[0] not in _LIBRARIES):
            return None
        for finder in sys.meta_path:
            spec = None if finder is self else finder.find_spec(name, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _HoldingLoader(spec.loader, self._interruptions)  # type: ignore[assignment]
                return spec
        return None


class _HoldingLoader:
    """Loads one module as its own loader does, while signals wait."""

    def __init__(self, loader: Loader, interruptions: Interruptions) -> None:
        self._loader = loader
        self._interruptions = interruptions

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        with self._interruptions.holding():
            return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        assert module.__spec__ is not None
        module.__spec__.loader = module.__loader__ = self._loader
        with self._interruptions.holding():
            self._loader.exec_module(module)


@contextlib.contextmanager
def continuing(folder: Path) -> Iterator[None]:
    """Adds to an interruption within the context that a training in `folder` can continue.

    `interruption_text` repeats it. A folder that does not exist yet keeps nothing.

    >>> try:
    ...     with continuing(Path("/dev")):
    ...         raise KeyboardInterrupt
    ... except KeyboardInterrupt as error:
    ...     print(interruption_text(error))
    interrupted: /dev keeps all finished trainings and epochs, and the same command continues
    """
    try:
        yield
    except KeyboardInterrupt as error:
        if folder.exists():
            error.add_note(
                f"{folder} keeps all finished trainings and epochs, and the same command continues"
            )
        raise


def interruption_text(error: KeyboardInterrupt) -> str:
    """Returns the last line of an interrupted command: the kind of interruption, and what is kept.

    >>> interruption_text(KeyboardInterrupt())
    'interrupted'
    """
    return ": ".join([interruption_word(interruption_code(error)), *getattr(error, "__notes__", ())])
