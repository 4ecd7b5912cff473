"""The network's answer for people: the best classes, or the logits where they are few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_TOP = 5


def answer_lines(logits: np.ndarray, labels: Sequence[str]) -> list[str]:
    """Writes the best classes of each sample, or the logits where they are few.

    logits: (batch, ...). labels: one name per class, or none.

    >>> answer_lines(np.array([[0.5, -2.0]]), [])
    ['  logits 0.5000 -2.0000']
    """
    lines = []
    for row in logits.reshape(logits.shape[0], -1):
        if row.size <= _TOP and len(labels) != row.size:
            lines.append("  logits " + " ".join(f"{value:.4f}" for value in row))
            continue
        for index in np.argsort(-row, kind="stable")[:_TOP]:
            label = labels[index] if len(labels) == row.size else f"class {index}"
            lines.append(f"  {row[index]:10.4f}  {label}")
    return lines
