"""The security of a `WorkPlan`: the estimates and parameters of docs/threat-model.md that apply to it."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pi_bench.crypto.ferret_plan import LARGE, SMALL, FerretParameters
from pi_bench.crypto.he import parameters as he
from pi_bench.crypto.ot_extension import COT_BITS, LABEL_BYTES
from pi_bench.hybrid.work_plan import WorkPlan
from pi_bench.network.program import Program
from pi_bench.protocol.options import ProtocolOptions
from pi_bench.protocol.security import Estimate, Security

ADVERSARY = "static semi-honest"
STATISTICAL_BITS = 40
CORE_SVP_BITS_PER_BLOCK = 0.292
"""log2 of the cost of a shortest vector, per dimension of its block: one classical sieving (Becker, Ducas,
Gama and Laarhoven, SODA 2016), as core-SVP counts it (Alkim, Ducas, Poppelmann and Schwabe, USENIX Security
2016)."""
CIPHERTEXT_BLOCK = 553
"""The block size of the primal attack on a secret modulo q, of 150 bits."""
COPY_KEY_BLOCK = 368
"""The same modulo q times the special prime of the copy keys, of 200 bits."""
LPN_BITS: dict[FerretParameters, int] = {SMALL: 136, LARGE: 140}
"""The least bits of all attacks that a test computes, for batches of every size."""

_HASH = Estimate("hash of labels (AES-128)", 121, "one cipher call tests 32 candidates for delta")
_CHUNK_HASH = Estimate("hash of chunk keys (AES-128)", 119, "one cipher call tests up to 256 chunk keys")
_BASE_OTS = Estimate("discrete logarithms on edwards25519", 125.8, "Pollard's rho")


def hybrid_security(program: Program, options: ProtocolOptions, *, uses_tables: bool = False) -> Security:
    """States the security of a protocol with homomorphic products and gadgets.

    `uses_tables` is that of `WorkPlan`.

    >>> from pi_bench.testing import small_network
    >>> security = hybrid_security(small_network()[0], ProtocolOptions("exact"))
    >>> security.weakest.bits, security.parameters["he_ring_degree"], security.parameters["label_bits"]
    (121, 8192, 128)
    """
    plan = WorkPlan(program, options, uses_tables=uses_tables)
    return Security(
        ADVERSARY,
        STATISTICAL_BITS,
        tuple(_estimates(plan)),
        {**_encryption(plan), **_transfers(plan), **_gadgets(plan)},
    )


def _estimates(plan: WorkPlan) -> Iterator[Estimate]:
    secrets = "ring learning with errors, secret of the"
    yield _core_svp(f"{secrets} ciphertexts", CIPHERTEXT_BLOCK)
    if plan.needs_copy_keys:
        yield _core_svp(f"{secrets} copy keys", COPY_KEY_BLOCK)
    yield _HASH
    if any(job.table is None and job.spec.label_chunk > 1 for job in plan.gadget_jobs):
        yield _CHUNK_HASH
    yield _BASE_OTS
    for found in _noise_parameters(plan):
        yield Estimate(
            f"learning parity with noise, {found.secrets:,} secrets",
            LPN_BITS[found],
            "attacks on subsystems of sparse rows, estimated inside this project alone",
        )


def _core_svp(assumption: str, block: int) -> Estimate:
    bits = round(CORE_SVP_BITS_PER_BLOCK * block, 1)
    return Estimate(assumption, bits, f"core-SVP of the primal attack, classical, block size {block}")


def _noise_parameters(plan: WorkPlan) -> list[FerretParameters]:
    batches = (*plan.ots.labels.batches, *plan.ots.reverse.batches)
    return list(dict.fromkeys(batch.parameters for batch in batches))


def _encryption(plan: WorkPlan) -> dict[str, int | float | str]:
    first, second, _ = he.PRIMES
    found: dict[str, int | float | str] = {
        "he_scheme": "BFV",
        "he_ring_degree": he.DEGREE,
        "he_modulus_bits": he.MODULUS.bit_length(),
        "he_prime_count": len(he.PRIMES),
        "he_plain_modulus_bits": he.PLAIN_BITS,
        "he_response_modulus_bits": first.bit_length(),
        "he_join_key_modulus_bits": (first * second).bit_length(),
        "he_secret": "ternary",
        "he_noise_sigma": round(math.sqrt(he.BINOMIAL_BITS / 2), 2),
        "he_flood_bits": he.FLOOD_BITS,
    }
    if plan.needs_copy_keys:
        found["he_copy_key_modulus_bits"] = (he.MODULUS * he.COPY_PRIME).bit_length()
    return found


def _transfers(plan: WorkPlan) -> dict[str, int | float | str]:
    found: dict[str, int | float | str] = {
        "base_ot": "Chou-Orlandi on edwards25519",
        "base_ot_count": COT_BITS,
        "ot_extension": plan.construction.name,
    }
    sets = [f"{each.secrets} secrets, blocks of {1 << each.levels}" for each in _noise_parameters(plan)]
    return {**found, "ot_noise": "; ".join(sets)} if sets else found


def _gadgets(plan: WorkPlan) -> dict[str, int | float | str]:
    garblings = dict.fromkeys(job.spec.garbling for job in plan.gadget_jobs if job.table is None)
    found: dict[str, int | float | str] = {"label_bits": 8 * LABEL_BYTES, "label_hash": "AES-128"}
    if garblings:
        found["garbling"] = ", ".join(garblings)
    if plan.table_jobs:
        found["tree_node_bits"] = 8 * LABEL_BYTES
    return found
