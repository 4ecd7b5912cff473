"""The seeds of one inference: from one random master secret each, bound to session and inference.

A machine that was restored from a snapshot and draws the same master secret again still gets other
seeds in its next session (docs/threat-model.md, seeds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pi_bench.crypto.kdf import derive_key
from pi_bench.crypto.ot_extension import LABEL_BYTES
from pi_bench.crypto.secret import SecretBytes
from pi_bench.hybrid.work_plan import SEED_BYTES
from pi_bench.protocol import SessionLike

_MASTER_BYTES = 32


def inference_context(session: SessionLike, inference_id: int) -> bytes:
    """Names session and inference, for key derivation at both parties."""
    return session.binding + inference_id.to_bytes(4, "little")


def reverse_hash_seed(context: bytes) -> bytes:
    """The client's hash seed of the reverse OTs; sent to the server."""
    with SecretBytes.random(_MASTER_BYTES) as master:
        return derive_key(master, "delphi reverse hash seed", context, byte_count=SEED_BYTES)


@dataclass(frozen=True, slots=True)
class GarblerSeeds:
    """The server's, as a context manager or until `close`."""

    delta: SecretBytes  # lowest bit 1: colors
    hash_seed: bytes  # sent to the evaluator
    label_seed: SecretBytes  # gives the zero labels of u, online

    @classmethod
    def fresh(cls, context: bytes) -> Self:
        with SecretBytes.random(_MASTER_BYTES) as master:
            delta = SecretBytes.copy_of(derive_key(master, "delphi delta", context, byte_count=LABEL_BYTES))
            delta.array[0] |= 1
            return cls(
                delta,
                derive_key(master, "delphi hash seed", context, byte_count=SEED_BYTES),
                SecretBytes.copy_of(derive_key(master, "delphi label seed", context, byte_count=SEED_BYTES)),
            )

    def close(self) -> None:
        self.delta.close()
        self.label_seed.close()
