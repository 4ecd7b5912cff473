"""The form of a context that ends with `close`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self


class ClosedContext(ABC):
    """Makes an object a context manager that calls its `close` at the end, whatever ends it.

    >>> class Secret(ClosedContext):
    ...     def close(self):
    ...         print("wiped")
    >>> with Secret():
    ...     print("used")
    used
    wiped
    """

    __slots__ = ()

    @abstractmethod
    def close(self) -> None:
        """Ends the object. It cannot be used afterwards."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
