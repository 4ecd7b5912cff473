"""Runs the FSS gadgets: a ReLU or an exact truncation in one round of about ten bytes, without a dealer.

The parties share x = u + v mod 2^32: the server holds u, the client v. Offline they grow shares of a truth
table whose index is masked; online they open the masked index. `fss_spec` draws the messages, and
docs/threat-model-fss.md says which party knows what and where each pad is used. Elements are handled in
groups of `LANES` = 32, which share hash keys; callers pad arrays to whole groups with random words. All
buffers are group-major, so a slice of groups is a contiguous part of each of them. Labels are ordered
[group][position][lane][16 bytes], which is the order of the correlated OTs.

Everything here serves once: the choices and bits, the OTs, the states and the messages. A second `answer` on
the same OTs with other choices, or a second `encode` of one state, gives delta or the value away. So a step
that failed burns the inference. Each state counts its steps, and `grow`, `accept_opening`, `encode` and
`evaluate` refuse a second call. `request` and `answer` begin a state, and refuse OTs that have served (see
`PostponedOts`). Labels in buffers have no such mark, so callers must wipe these, the choices and the bits
once the step has returned, and the scratch after the last bundle. Each party needs its delta until the
round, in locked memory.

Sources: function secret sharing for comparison, Boyle, Gilboa and Ishai (EUROCRYPT 2015; TCC 2019); half
trees, Guo et al. (EUROCRYPT 2023); growing without a dealer over a small domain, Doerner and shelat (CCS
2017). The masks by a butterfly of OTs, the product in one round and the exact mode are this project's.
"""

from __future__ import annotations

from pi_bench.crypto.fss_arguments import (
    AnswerArguments,
    FinishArguments,
    FssCall,
    FssEncodeArguments,
    FssEvaluateArguments,
    GrowArguments,
    RequestArguments,
)
from pi_bench.crypto.fss_offline import (
    accept_opening,
    answer,
    draw_bits,
    draw_choices,
    grow,
    joint_hash_seed,
    request,
    request_choices,
)
from pi_bench.crypto.fss_online import (
    encode,
    evaluate,
    finish,
    share_versions,
    version_numbers,
)
from pi_bench.crypto.fss_spec import FssSpec

__all__ = [
    "AnswerArguments",
    "FinishArguments",
    "FssCall",
    "FssEncodeArguments",
    "FssEvaluateArguments",
    "FssSpec",
    "GrowArguments",
    "RequestArguments",
    "accept_opening",
    "answer",
    "draw_bits",
    "draw_choices",
    "encode",
    "evaluate",
    "finish",
    "grow",
    "joint_hash_seed",
    "request",
    "request_choices",
    "share_versions",
    "version_numbers",
]
