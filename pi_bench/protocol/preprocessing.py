"""What the offline phase leaves behind for one inference, at one party."""

from __future__ import annotations

import numpy as np

from pi_bench.errors import PreprocessingSpentError


class Preprocessing:
    """Flat arrays for one inference: self-contained, versioned, one-time.

    `claim` hands the arrays out once and burns the object, before the first online byte: garbled
    tables used with two inputs give away delta, a mask used twice gives the difference of inputs.
    """

    def __init__(self, protocol: str, inference_id: int, arrays: dict[str, np.ndarray]) -> None:
        self.protocol = protocol
        self.inference_id = inference_id
        self.storage_bytes = sum(array.nbytes for array in arrays.values())
        self._arrays: dict[str, np.ndarray] | None = arrays

    @property
    def spent(self) -> bool:
        return self._arrays is None

    def claim(self, protocol: str) -> dict[str, np.ndarray]:
        """The arrays, once.

        Raises:
            PreprocessingSpentError: on the second call.
            ValueError: if it was made by another protocol.
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
        """Drops the material unused: after an abort, a time-out or a lost connection."""
        self._arrays = None
