"""Divergence seen early: a loss that is no number, or far above that of guessing for long."""

from __future__ import annotations

import math

from pi_bench.errors import DivergedError

_LIMIT = 2.0  # times the cross-entropy of a guess, which an untrained network has
_PATIENCE = 4  # looks in a row


class DivergenceWatch:
    """Looks at the mean cross-entropy of some batches at a time."""

    def __init__(self, class_count: int, learning_rate: float) -> None:
        self.chance_loss = math.log(class_count)
        self._advice = f"use a lower --learning-rate than {learning_rate:g}"
        self._bad_looks = 0

    def look(self, loss: float, when: str) -> None:
        """
        Args:
            loss: mean cross-entropy since the last look.
            when: where in the training this is, for the message.

        Raises:
            DivergedError: the loss is no number, or has been twice that of guessing in every one of
                the last four looks.
        """
        if not math.isfinite(loss):
            raise DivergedError(f"training diverged in {when}: the loss is no number; {self._advice}")
        self._bad_looks = self._bad_looks + 1 if loss > _LIMIT * self.chance_loss else 0
        if self._bad_looks >= _PATIENCE:
            raise DivergedError(
                f"training diverged in {when}: the loss stays above {_LIMIT:g} times that of guessing "
                f"({loss:.3g}, guessing has {self.chance_loss:.3g}); {self._advice}"
            )
