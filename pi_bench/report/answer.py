"""The network's answer for people: the best classes, or the logits where they are few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pi_bench.report.documents.latency import Outputs
from pi_bench.report.quantities import counted

_TOP = 5
_SHOWN_SAMPLES = 4
_TOP_IN_A_LINE = 3


def answer_lines(logits: np.ndarray, labels: Sequence[str]) -> list[str]:
    """Writes the best classes of each sample, or the logits where they are few.

    A line with its number from 0 precedes each sample of a batch.

    Args:
        logits: (batch, ...).
        labels: one name per class, or none.

    >>> answer_lines(np.array([[0.5, -2.0]]), [])
    ['  logits 0.5000 -2.0000']
    >>> answer_lines(np.array([[0.5, -2.0], [1.0, 0.0]]), [])
    ['input 0:', '  logits 0.5000 -2.0000', 'input 1:', '  logits 1.0000 0.0000']
    """
    lines = []
    for sample, row in enumerate(logits.reshape(logits.shape[0], -1)):
        if len(logits) > 1:
            lines.append(f"input {sample}:")
        if row.size <= _TOP and len(labels) != row.size:
            lines.append("  logits " + " ".join(f"{value:.4f}" for value in row))
            continue
        for index in np.argsort(-row, kind="stable")[:_TOP]:
            label = labels[index] if len(labels) == row.size else f"class {index}"
            lines.append(f"  {row[index]:10.4f}  {label}")
    return lines


def answer_words(logits: np.ndarray, labels: Sequence[str]) -> list[str]:
    """Writes the best classes of each sample in one line, or the logits where they are few.

    Of a large batch the first samples are written, and a last line says how many others there are.

    Args:
        logits: (batch, ...).
        labels: one name per class, or none.

    >>> answer_words(np.array([[0.5, -2.0]]), [])
    ['logits 0.5000 -2.0000']
    >>> answer_words(np.array([[0.5, -2.0, 3.0]]), ["cat", "dog", "owl"])
    ['owl (logit 3.0000), cat (0.5000), dog (-2.0000)']
    """
    shown = logits[:_SHOWN_SAMPLES].reshape(min(len(logits), _SHOWN_SAMPLES), -1)
    lines = []
    for sample, row in enumerate(shown):
        if row.size <= _TOP and len(labels) != row.size:
            words = "logits " + " ".join(f"{value:.4f}" for value in row)
        else:
            names = labels if len(labels) == row.size else [f"class {index}" for index in range(row.size)]
            best = np.argsort(-row, kind="stable")[:_TOP_IN_A_LINE]
            marked = enumerate(best)
            words = ", ".join(
                f"{names[index]} ({'' if place else 'logit '}{row[index]:.4f})" for place, index in marked
            )
        lines.append(f"input {sample}: {words}" if len(logits) > 1 else words)
    more = len(logits) - _SHOWN_SAMPLES
    if more > 0:
        lines.append(f"{counted(more, 'more input')}: --json and --output have every answer")
    return lines


def outputs_part(logits: np.ndarray, labels: Sequence[str]) -> Outputs:
    """Returns logits and best class of the sample, or of each sample where the batch is larger than one.

    Args:
        logits: (batch, ...).
        labels: one name per class, or none.

    >>> outputs_part(np.array([[0.5, -2.0]]), ["cat", "dog"]).label
    'cat'
    """
    rows = logits.reshape(logits.shape[0], -1)
    best = [int(index) for index in rows.argmax(axis=1)]
    named = [labels[index] for index in best] if len(labels) == rows.shape[1] else None
    single = rows.shape[0] == 1
    return Outputs(
        logits=rows[0].tolist() if single else rows.tolist(),
        argmax=best[0] if single else best,
        label=None if named is None else (named[0] if single else named),
    )
