"""What the offline phase leaves behind for one inference, at one party."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol as StructuralType

import numpy as np

from pi_bench.errors import PreprocessingSpentError


class Closeable(StructuralType):
    """Locked memory that `close` wipes."""

    def close(self) -> None: ...


class Preprocessing:
    """Flat arrays for one inference: self-contained, versioned, one-time.

    `version` is the protocol's own, of the meaning of its arrays: what stores material must store it
    with the protocol's name, and refuse what it does not know.

    `claim` hands the arrays out once, before the first online byte: garbled tables used with two
    inputs give away delta, a mask used twice gives the difference of two inputs. `burn` drops what
    is left and wipes the `secrets` whose memory some arrays are views of.
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

    @property
    def spent(self) -> bool:
        return self._arrays is None

    def claim(self, protocol: str) -> dict[str, np.ndarray]:
        """The arrays, once.

        Raises:
            PreprocessingSpentError: on the second call, or after `burn`.
            ValueError: if another protocol made it.
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
        """Drops the material, used or not: after a run, an abort, a time-out or a lost connection."""
        self._arrays = None
        secrets, self._secrets = self._secrets, ()
        for secret in secrets:
            secret.close()
