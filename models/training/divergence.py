"""Early detection of a training that diverges."""

from __future__ import annotations

import math

from pi_bench.errors import DivergedError

_LIMIT = 2.0  # times the cross-entropy of a guess, which an untrained network has
_PATIENCE = 4  # bad losses in a row


class DivergenceWatch:
    """A watch over the mean cross-entropy of a few batches at a time.

    Args:
        class_count: the number of classes, from which the loss of guessing follows.
        advice: what the user can do about a divergence, for the message.
        bad_looks: the `bad_looks` of the watch that saw the training before it was resumed.

    Attributes:
        bad_looks: the number of bad losses in a row until now. A checkpoint keeps it.

    >>> watch = DivergenceWatch(class_count=10, advice="use a lower --learning-rate than 0.5")
    >>> watch.look(2.3, "epoch 1 by batch 16")
    >>> try:
    ...     watch.look(math.nan, "epoch 1 by batch 32")
    ... except DivergedError as error:
    ...     print(str(error).partition(";")[0])
    training diverged in epoch 1 by batch 32: the loss is no number
    """

    def __init__(self, class_count: int, advice: str, bad_looks: int = 0) -> None:
        self.chance_loss = math.log(class_count)
        self._advice = advice
        self.bad_looks = bad_looks

    def look(self, loss: float, when: str) -> None:
        """Checks the loss of the last batches.

        Args:
            loss: the mean cross-entropy since the last call.
            when: the place in the training, for the message.

        Raises:
            DivergedError: The loss is NaN or infinite, or was more than twice that of guessing in each of
                the last four calls.
        """
        if not math.isfinite(loss):
            raise DivergedError(f"training diverged in {when}: the loss is no number; {self._advice}")
        self.bad_looks = self.bad_looks + 1 if loss > _LIMIT * self.chance_loss else 0
        if self.bad_looks >= _PATIENCE:
            raise DivergedError(
                f"training diverged in {when}: the loss stays above {_LIMIT:g} times that of guessing "
                f"({loss:.3g}, guessing has {self.chance_loss:.3g}); {self._advice}"
            )
