"""Knowledge distillation: a full network teaches a reduced one (Hinton et al., 2015)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def teaching_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """Returns T**2 * KL(teacher || student), the mean over a batch, with both softened by temperature T.

    The factor T**2 makes the size of the gradient independent of T (Hinton et al., section 2).

    Args:
        logits: the student's, (batch, classes).
        teacher_logits: the teacher's, (batch, classes).
        temperature: T.

    >>> import torch
    >>> logits = torch.tensor([[1.0, 2.0, 3.0]])
    >>> float(teaching_loss(logits, logits, 4.0)), float(teaching_loss(logits, -logits, 4.0)) > 1
    (0.0, True)
    """
    divergence = functional.kl_div(
        functional.log_softmax(logits / temperature, dim=1),
        functional.log_softmax(teacher_logits / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * divergence
