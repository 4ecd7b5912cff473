"""The material that the offline phase leaves at one party for one inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol as StructuralType

import numpy as np

from pi_bench.errors import PreprocessingSpentError
from pi_bench.protocol.session import ShareTrace


class Closeable(StructuralType):
    """Holds secrets in memory until `close` wipes them.

    >>> from pi_bench.crypto.secret import SecretBytes
    >>> key: Closeable = SecretBytes(16)
    >>> key.close()
    """

    def close(self) -> None:
        """Wipes the secrets."""


class Preprocessing:
    """Holds the arrays that one party needs for one inference, and hands them out once.

    A protocol claims them before the first online byte. Garbled tables that are used with two inputs reveal
    delta, and a mask that is used twice reveals the difference of two inputs. `secrets` own the memory that
    some arrays are views of. `version` is the protocol's own number for the meaning of its arrays. A program
    that stores material must store both the version and the protocol's name, and refuse unknown ones. `trace`
    has the shares that its offline phase kept for verification, if they were asked for.

    >>> material = Preprocessing("toy", 0, {"mask": np.zeros(2, np.uint32)})
    >>> material.storage_bytes
    8
    >>> sorted(material.claim("toy"))
    ['mask']
    >>> material.claim("toy")
    Traceback (most recent call last):
    pi_bench.errors.PreprocessingSpentError: the preprocessing of inference 0 was used before; ...
    """

    def __init__(
        self,
        protocol: str,
        inference_id: int,
        arrays: dict[str, np.ndarray],
        secrets: Sequence[Closeable] = (),
        *,
        version: int = 1,
    ) -> None:
        self.protocol = protocol
        self.version = version
        self.inference_id = inference_id
        self.storage_bytes = sum(array.nbytes for array in arrays.values())
        self._arrays: dict[str, np.ndarray] | None = arrays
        self._secrets = tuple(secrets)
        self.trace: ShareTrace | None = None

    @property
    def spent(self) -> bool:
        """Whether the arrays were claimed or dropped."""
        return self._arrays is None

    def claim(self, protocol: str) -> dict[str, np.ndarray]:
        """Returns the arrays by name, once.

        Raises:
            PreprocessingSpentError: they were claimed before, or dropped by `burn`.
            ValueError: the material was made by another protocol.
        """
        if protocol != self.protocol:
            raise ValueError(f"preprocessing of {self.protocol!r} given to {protocol!r}")
        if self._arrays is None:
            raise PreprocessingSpentError(
                f"the preprocessing of inference {self.inference_id} was used before; "
                "run the offline phase again"
            )
        arrays, self._arrays = self._arrays, None
        return arrays

    def burn(self) -> None:
        """Drops the arrays, used or not, and wipes their secrets.

        The harness calls it after a run, an abort, a time-out and a lost connection.
        """
        self._arrays = self.trace = None
        secrets, self._secrets = self._secrets, ()
        for secret in secrets:
            secret.close()
