"""Knowledge distillation: a full network teaches a reduced one (Hinton et al., 2015)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, labels: Tensor, temperature: float, hard_weight: float
) -> Tensor:
    """hard_weight * cross-entropy + (1 - hard_weight) * T**2 * KL(teacher || student at temperature T).

    The factor T**2 keeps the soft part's gradient of one size whatever T is (Hinton et al., section 2).
    DeepReDuce has T = 4 and 0.9 on the hard targets.
    """
    hard = functional.cross_entropy(logits, labels)
    soft = functional.kl_div(
        functional.log_softmax(logits / temperature, dim=1),
        functional.log_softmax(teacher_logits / temperature, dim=1),
        reduction="batchmean",
        log_target=True,
    )
    return hard_weight * hard + (1 - hard_weight) * temperature**2 * soft
