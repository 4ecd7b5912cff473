"""The seeds of one inference, derived from one random master secret per party.

They are bound to the session and the inference. So a machine that was restored from a snapshot and draws the
same master secret again still gets other seeds in its next session (docs/threat-model.md, seeds).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pi_bench.crypto.fss import joint_hash_seed
from pi_bench.crypto.kdf import derive_key
from pi_bench.crypto.ot_extension import LABEL_BYTES
from pi_bench.crypto.secret import SecretBytes
from pi_bench.crypto.symmetric import SEED_BYTES
from pi_bench.protocol import SessionLike

_MASTER_BYTES = 32


def inference_context(session: SessionLike, inference_id: int) -> bytes:
    """Returns bytes that name the session and the inference, for key derivation at both parties.

    >>> from pi_bench.protocol import Party
    >>> from pi_bench.testing import memory_sessions
    >>> inference_context(memory_sessions()[Party.CLIENT], 3)[32:]
    b'\\x03\\x00\\x00\\x00'
    """
    return session.binding + inference_id.to_bytes(4, "little")


def reverse_hash_seed(protocol: str, context: bytes) -> bytes:
    """Draws the client's hash seed of the reverse OTs, which is sent to the server.

    >>> len(reverse_hash_seed("delphi", bytes(36)))
    16
    """
    with SecretBytes.random(_MASTER_BYTES) as master:
        return derive_key(master, f"{protocol} reverse hash seed", context, byte_count=SEED_BYTES)


def table_hash_seed(protocol: str, context: bytes, server_seed: bytes, client_seed: bytes) -> bytes:
    """Derives the hash seed of shared tables from both parties' hash seeds. All three are public.

    Both parties hash the same tree nodes, so neither party's own seed serves.

    >>> len(table_hash_seed("fss", bytes(36), bytes(16), bytes(16)))
    16
    """
    return joint_hash_seed(protocol.encode() + b"\0" + context, server_seed, client_seed)


@dataclass(frozen=True, slots=True)
class GarblerSeeds:
    """Holds the seeds of the garbler for one inference, until `close` wipes them.

    >>> seeds = GarblerSeeds.fresh("delphi", bytes(36))
    >>> int(seeds.delta.array[0] & 1)
    1
    >>> seeds.close()
    """

    delta: SecretBytes  # its lowest bit is 1, for the color bits
    hash_seed: bytes  # sent to the evaluator
    label_seed: SecretBytes  # gives the zero labels of u, online

    @classmethod
    def fresh(cls, protocol: str, context: bytes) -> Self:
        """Draws fresh seeds, which the protocol's name and `context` enter too."""
        with SecretBytes.random(_MASTER_BYTES) as master:
            delta = SecretBytes.copy_of(
                derive_key(master, f"{protocol} delta", context, byte_count=LABEL_BYTES)
            )
            delta.array[0] |= 1
            return cls(
                delta,
                derive_key(master, f"{protocol} hash seed", context, byte_count=SEED_BYTES),
                SecretBytes.copy_of(
                    derive_key(master, f"{protocol} label seed", context, byte_count=SEED_BYTES)
                ),
            )

    def close(self) -> None:
        """Wipes delta and the label seed."""
        self.delta.close()
        self.label_seed.close()
