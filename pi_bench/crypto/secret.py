"""Keeps secrets in pages of their own: locked into memory, left out of core dumps, wiped when dropped.

This protects against keys that reach the disk by swap or by a core dump, and against keys that stay in
freed memory. It does not protect against a debugger, root, hibernation, or copies that callers make.

A forked child reads zeros (MADV_WIPEONFORK), and `array` raises there: a child that inherited a key
together with its counter would use both a second time.
"""

from __future__ import annotations

import contextlib
import errno
import mmap
import os
import resource
from typing import NoReturn

import cffi  # type: ignore[import-untyped]
import numpy as np

from pi_bench.crypto.closed_context import ClosedContext
from pi_bench.errors import EnvironmentUnsupportedError

_ffi = cffi.FFI()
_ffi.cdef(
    """
    int mlock(const void *address, size_t byte_count);
    void explicit_bzero(void *address, size_t byte_count);
    ssize_t getrandom(void *address, size_t byte_count, unsigned int flags);
    """
)
_libc = _ffi.dlopen(None)
_MADV_WIPEONFORK = 18  # Linux 4.14; the mmap module has no name for it


class _Pages(mmap.mmap):
    """Anonymous pages that wipe themselves when the last view of them is gone."""

    owner_pid = -1

    def wipe(self) -> None:
        if self.closed or os.getpid() != self.owner_pid:
            return
        with _ffi.from_buffer(self) as address:
            _libc.explicit_bzero(address, len(self))

    def __del__(self) -> None:
        self.wipe()


class SecretBytes(ClosedContext):
    """Holds `byte_count` (at least 1) bytes of secret memory, zero at first, to be filled through `array`.

    Use it as a context manager or call `close`, which wipes even while views exist. Without either, the pages
    are wiped when the last reference or view is gone. It cannot be pickled or copied, and its repr shows the
    size alone.

    >>> with SecretBytes.random(16) as key:
    ...     key, key.array.shape
    (SecretBytes(16 bytes), (16,))
    >>> key
    SecretBytes(wiped)

    Raises:
        ValueError: the size is below 1.
        EnvironmentUnsupportedError: the system refuses to lock the pages.
    """

    __slots__ = ("__weakref__", "_byte_count", "_pages", "_pid")

    def __init__(self, byte_count: int) -> None:
        if byte_count < 1:
            raise ValueError(f"a secret has at least one byte, not {byte_count}")
        self._pages: _Pages | None = None
        self._byte_count = byte_count
        self._pid = os.getpid()
        mapped = -(-byte_count // mmap.PAGESIZE) * mmap.PAGESIZE
        pages = _Pages(-1, mapped, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        pages.owner_pid = self._pid
        pages.madvise(mmap.MADV_DONTDUMP)
        try:
            pages.madvise(_MADV_WIPEONFORK)
        except OSError:
            pages.madvise(mmap.MADV_DONTFORK)  # for kernels without it: a fork has no pages at all
        with _ffi.from_buffer(pages) as address:
            failed = _libc.mlock(address, mapped) != 0
            code = _ffi.errno
        if failed:
            pages.close()
            raise EnvironmentUnsupportedError(_why_not_locked(code, mapped))
        self._pages = pages

    @classmethod
    def random(cls, byte_count: int) -> SecretBytes:
        """Draws random bytes, which the kernel writes straight into the locked pages."""
        secret = cls(byte_count)
        fill_random(secret.array)
        return secret

    @classmethod
    def copy_of(cls, data: bytes | bytearray | memoryview | np.ndarray) -> SecretBytes:
        """Copies `data` into locked pages. The caller wipes the original."""
        source = np.frombuffer(data, dtype=np.uint8)
        secret = cls(source.size)
        secret.array[:] = source
        return secret

    @property
    def array(self) -> np.ndarray:
        """The secret itself, uint8 (byte_count,), writable: a view, never a copy.

        Raises:
            ValueError: after `close`, and in a forked child.
        """
        if os.getpid() != self._pid:
            raise ValueError("a secret does not survive a fork")
        if self._pages is None:
            raise ValueError("the secret was wiped")
        return np.frombuffer(self._pages, dtype=np.uint8, count=self._byte_count)

    @property
    def closed(self) -> bool:
        """Whether the secret was wiped."""
        return self._pages is None

    def close(self) -> None:
        """Wipes, unlocks and unmaps. It is safe to call again. Views that still exist read zeros."""
        pages, self._pages = self._pages, None
        if pages is None or os.getpid() != self._pid:
            return
        pages.wipe()
        with contextlib.suppress(BufferError):
            pages.close()  # and unlocks; while a view is alive, the last one does it

    def __len__(self) -> int:
        return self._byte_count

    def __repr__(self) -> str:
        return f"SecretBytes({'wiped' if self.closed else f'{self._byte_count} bytes'})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied")


def fill_random(array: np.ndarray) -> None:
    """Fills a writable contiguous array from the kernel's generator, without a copy elsewhere.

    >>> words = np.zeros(64, np.uint32)
    >>> fill_random(words)
    >>> bool(words.any())
    True

    Raises:
        EnvironmentUnsupportedError: the kernel gives no random bytes.
    """
    view = array.data.cast("B")
    with _ffi.from_buffer(view, require_writable=True) as address:
        filled = 0
        while filled < len(view):
            count = _libc.getrandom(address + filled, len(view) - filled, 0)
            if count > 0:
                filled += count
            elif _ffi.errno != errno.EINTR:
                raise EnvironmentUnsupportedError("the kernel gives no random bytes (getrandom failed)")


def wipe(array: np.ndarray | bytearray) -> None:
    """Zeroes a writable contiguous buffer by a call that no compiler can leave out.

    >>> key = bytearray(b"secret")
    >>> wipe(key)
    >>> key == bytes(6)
    True

    Raises:
        BufferError: the buffer is read-only.
    """
    view = array.data.cast("B") if isinstance(array, np.ndarray) else memoryview(array)
    with _ffi.from_buffer(view, require_writable=True) as address:
        _libc.explicit_bzero(address, view.nbytes)


def _why_not_locked(code: int, mapped: int) -> str:
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    if code in (errno.ENOMEM, errno.EAGAIN, errno.EPERM):
        return (
            f"cannot lock {mapped} bytes of memory for keys: the limit on locked memory is {limit} bytes; "
            "raise it (ulimit -l, or LimitMEMLOCK= of the service) to at least 1048576"
        )
    return f"cannot lock memory for keys: {os.strerror(code)}"
