"""Knowledge distillation: a full network teaches a reduced one (Hinton et al., 2015)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def teaching_loss(logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """T**2 * KL(teacher || student), both softened by temperature T; the mean over a batch.

    The factor T**2 keeps the gradient of one size whatever T is (Hinton et al., section 2).

    Args:
        logits, teacher_logits: (batch, classes).
    """
    divergence = functional.kl_div(
        functional.log_softmax(logits / temperature, dim=1),
        functional.log_softmax(teacher_logits / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return temperature**2 * divergence
