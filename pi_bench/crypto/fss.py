"""Runs the FSS gadgets: a ReLU or an exact truncation in one round of about ten bytes, without a dealer.

The parties share x = u + v mod 2^32: the server holds u, the client v. Offline they grow shares of a truth
table whose index is masked; online they open the masked index. `fss_spec` draws the messages, and
docs/threat-model.md ("FSS") says which party knows what and where each pad is used. Elements are handled in
groups of `LANES` = 32, which share hash keys; callers pad arrays to whole groups with random words. All
buffers are group-major, so a slice of groups is a contiguous part of each of them. Labels are ordered
[group][position][lane][16 bytes], which is the order of the correlated OTs.

Everything here serves once: the choices and bits, the OTs, the states and the messages. A second `answer` on
the same OTs with other choices, or a second `encode` of one state, gives delta or the value away. So a step
that failed burns the inference.

Sources: function secret sharing for comparison, Boyle, Gilboa and Ishai (EUROCRYPT 2015; TCC 2019); half
trees, Guo et al. (EUROCRYPT 2023); growing without a dealer over a small domain, Doerner and shelat (CCS
2017). The masks by a butterfly of OTs, the product in one round and the exact mode are this project's.
"""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.crypto.fss_arguments import (
    AnswerArguments,
    FinishArguments,
    FssCall,
    FssEncodeArguments,
    FssEvaluateArguments,
    GrowArguments,
    RequestArguments,
)
from pi_bench.crypto.fss_spec import FssSpec
from pi_bench.crypto.gadget_arguments import Buffer, OutBuffer
from pi_bench.crypto.kdf import domain_hash
from pi_bench.crypto.randomness import random_words
from pi_bench.crypto.symmetric import LANES

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


def joint_hash_seed(context: bytes, server_seed: bytes, client_seed: bytes) -> bytes:
    """Derives the hash seed of an inference from 16 random bytes of each party.

    Both parties hash the same tree nodes, so neither party's seed serves alone. `context` names the session
    and the inference, and is the same at both parties. The seed is public.

    >>> joint_hash_seed(b"inference 7", bytes(16), bytes(16)).hex()
    'bb2cecc9a21796fdc0866e741e86d9ff'

    Raises:
        ValueError: a seed does not have 16 bytes.
    """
    if len(server_seed) != 16 or len(client_seed) != 16:
        raise ValueError("each party gives 16 bytes to the hash seed")
    return domain_hash("fss hash seed", context, server_seed, client_seed)


def draw_choices(spec: FssSpec, groups: int) -> np.ndarray:
    """Draws the server's choices, uint32 (groups * choice_ots,): the packed choice bits of its reverse OTs.

    They are the server's masks, so they stay the same from the OTs to `answer`.

    >>> draw_choices(FssSpec("relu", 12, 23, False, 4095, 1), 2).shape  # 12 OTs per element
    (24,)
    """
    return random_words((groups * spec.choice_ots,))


def draw_bits(bits: int, groups: int) -> np.ndarray:
    """Draws a party's other bits, uint32 (groups * bits,). `bits`: `server_bits` or `client_bits` of a spec.

    >>> draw_bits(FssSpec("relu", 12, 23, False, 4095, 1).client_bits, 3).shape
    (3,)
    """
    return random_words((groups * bits,))


def request_choices(spec: FssSpec, v: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Returns the client's OT choices, uint8, one bit per OT, packed little-bit-first in label order.

    `v`: uint32 (groups * 32,). `bits`: those of `request`.

    >>> spec = FssSpec("relu", 12, 23, False, 4095, 1)  # 4 OTs per element
    >>> request_choices(spec, np.zeros(64, np.uint32), np.zeros(2, np.uint32)).shape
    (32,)

    Raises:
        ValueError, TypeError: an array has another type or size, or no whole groups.
    """
    packed = np.empty(v.size // LANES * spec.request_ots, np.uint32)
    _native.fss.request_choices(spec.native, v, bits, packed)
    return packed.view(np.uint8)


def request(call: FssCall, arguments: RequestArguments) -> None:
    """Prepares the groups of `call` at the client, and fills its request to the server.

    >>> spec = FssSpec("relu", 12, 13, False, 4095, 1)  # a sign alone, without table; `finish` shows all steps
    >>> v, bits = np.zeros(32, np.uint32), draw_bits(spec.client_bits, 1)
    >>> zero, active = np.zeros((1, 2, 32, 16), np.uint8), np.zeros((1, 1, 32, 16), np.uint8)
    >>> corrections, state = bytearray(spec.correction_group_bytes), bytearray(spec.client_state_group_bytes)
    >>> request(FssCall(spec, 0, 0), RequestArguments(
    ...     bytes(16), bytes(16), v, bits, zero, active, corrections, state, bytearray(), bytearray()))
    >>> any(state)
    True

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or the lowest bit of delta is 1.
    """
    _native.fss.request(
        call.spec.native,
        gadget=call.gadget,
        first_group=call.first_group,
        delta=arguments.delta,
        hash_seed=arguments.hash_seed,
        v=arguments.v,
        bits=arguments.bits,
        choice_labels=arguments.choice_labels,
        request_labels=arguments.request_labels,
        out_corrections=arguments.out_corrections,
        out_state=arguments.out_state,
        out_growth=arguments.out_growth,
        out_bundle=arguments.out_bundle,
        threads=call.threads,
        isa=call.isa,
    )


def answer(call: FssCall, arguments: AnswerArguments) -> None:
    """Prepares the groups of `call` at the server, from the client's corrections.

    >>> spec = FssSpec("relu", 12, 13, False, 4095, 1)  # a sign alone, without table; `finish` shows all steps
    >>> choices, none = draw_choices(spec, 1), np.zeros(0, np.uint32)
    >>> active, zero = np.zeros((1, 2, 32, 16), np.uint8), np.zeros((1, 1, 32, 16), np.uint8)
    >>> delta, corrections = b"\\x01" + bytes(15), bytes(spec.correction_group_bytes)
    >>> state, empty = bytearray(spec.server_state_group_bytes), bytearray()
    >>> answer(FssCall(spec, 0, 0), AnswerArguments(
    ...     delta, bytes(16), choices, none, active, zero, corrections, empty, state, empty, empty))
    >>> any(state)
    True

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or the lowest bit of delta is 0.
    """
    _native.fss.answer(
        call.spec.native,
        gadget=call.gadget,
        first_group=call.first_group,
        delta=arguments.delta,
        hash_seed=arguments.hash_seed,
        choices=arguments.choices,
        bits=arguments.bits,
        choice_labels=arguments.choice_labels,
        request_labels=arguments.request_labels,
        corrections=arguments.corrections,
        out_opening=arguments.out_opening,
        out_state=arguments.out_state,
        out_growth=arguments.out_growth,
        out_bundle=arguments.out_bundle,
        threads=call.threads,
        isa=call.isa,
    )


def grow(call: FssCall, arguments: GrowArguments) -> None:
    """Takes the other party's bundle of a level, and fills this party's bundle of the next level.

    Levels are taken in order, each once, by both parties:

    >>> spec = FssSpec("relu", 12, 23, False, 4095, 1)
    >>> state, growth = bytearray(spec.client_state_group_bytes), bytearray(spec.growth_group_bytes)
    >>> received, bundle = bytes(spec.bundle_group_bytes(1)), bytearray(spec.bundle_group_bytes(2))
    >>> delta = b"\x02" + bytes(15)
    >>> grow(FssCall(spec, 0, 0), GrowArguments(
    ...     "client", delta, bytes(16), 1, received, state, growth, bundle))
    >>> any(bundle)
    True

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, there is no such level or party, or the
            lowest bit of delta is not the party's.
    """
    _native.fss.grow(
        call.spec.native,
        party=arguments.party,
        gadget=call.gadget,
        first_group=call.first_group,
        delta=arguments.delta,
        hash_seed=arguments.hash_seed,
        level=arguments.level,
        received=arguments.received,
        state=arguments.state,
        growth=arguments.growth,
        out_bundle=arguments.out_bundle,
        threads=call.threads,
        isa=call.isa,
    )


def accept_opening(spec: FssSpec, opening: Buffer, state: OutBuffer, threads: int = 1) -> None:
    """Completes the client's state of a truncation by the server's opening, once, before `evaluate`.

    A ReLU has an opening of no bytes, which changes nothing:

    >>> spec = FssSpec("relu", 12, 23, False, 4095, 1)
    >>> state = bytearray(spec.client_state_group_bytes)
    >>> accept_opening(spec, b"", state)
    >>> any(state)
    False

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type.
    """
    _native.fss.accept_opening(spec.native, opening=opening, state=state, threads=threads)


def encode(call: FssCall, arguments: FssEncodeArguments) -> None:
    """Makes the message for the server's share `u`; the server's step before the round.

    `out_kept` then holds the versions of the server's share (`share_versions`). Never encode one state
    twice: two messages reveal the difference of the values.

    >>> spec = FssSpec("relu", 12, 23, False, 4095, 1)
    >>> state, u = bytes(spec.server_state_group_bytes), np.zeros(32, np.uint32)
    >>> message, kept = bytearray(spec.online_group_bytes), bytearray(spec.kept_group_bytes)
    >>> delta = b"\\x01" + bytes(15)
    >>> encode(FssCall(spec, 0, 0), FssEncodeArguments(delta, bytes(16), state, u, message, kept))
    >>> len(message)  # 32 words, 11 bits and 1 bit per element; `finish` shows the whole gadget
    176

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or the lowest bit of delta is 0.
    """
    _native.fss.encode(
        call.spec.native,
        gadget=call.gadget,
        first_group=call.first_group,
        delta=arguments.delta,
        hash_seed=arguments.hash_seed,
        state=arguments.state,
        u=arguments.u,
        out_message=arguments.out_message,
        out_kept=arguments.out_kept,
        threads=call.threads,
        isa=call.isa,
    )


def evaluate(call: FssCall, arguments: FssEvaluateArguments) -> None:
    """Fills `out_z` and `out_answer`, the client's answer to the server's message.

    >>> spec = FssSpec("relu", 12, 23, False, 4095, 1)
    >>> state, message = bytes(spec.client_state_group_bytes), bytes(spec.online_group_bytes)
    >>> r, z, bits = np.zeros(32, np.uint32), np.empty(32, np.uint32), np.empty(1, np.uint32)
    >>> evaluate(FssCall(spec, 0, 0), FssEvaluateArguments(bytes(16), bytes(16), state, message, r, z, bits))
    >>> z.any()  # of a state of zeros; `finish` shows the whole gadget
    np.False_

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or the lowest bit of delta is 1.
    """
    _native.fss.evaluate(
        call.spec.native,
        gadget=call.gadget,
        first_group=call.first_group,
        delta=arguments.delta,
        hash_seed=arguments.hash_seed,
        state=arguments.state,
        message=arguments.message,
        next_mask=arguments.next_mask,
        out_z=arguments.out_z,
        out_answer=arguments.out_answer,
        threads=call.threads,
        isa=call.isa,
    )


def share_versions(spec: FssSpec, kept: np.ndarray) -> np.ndarray:
    """Returns the versions of the server's share A: uint32 (groups, share_versions, 32), a view of `kept`.

    The client's share of the result is C = z + r', and A + C is the result for the version that the answer
    names (`version_numbers`). A product opens each version under a factor of its own: with one factor for
    two versions, the client would learn the value up to its sign.

    >>> spec = FssSpec("relu", 12, 23, False, 4095, 1)
    >>> share_versions(spec, np.zeros(3 * spec.kept_group_bytes, np.uint8)).shape
    (3, 2, 32)
    """
    words = kept.view(np.uint32).reshape(-1, spec.kept_group_bytes // 4)
    return words[:, : spec.share_versions * LANES].reshape(-1, spec.share_versions, LANES)


def version_numbers(spec: FssSpec, sent: np.ndarray, answer: np.ndarray) -> np.ndarray:
    """Returns the version of the server's share that counts, for each element: intp (groups * 32,).

    `sent`: uint8, `out_kept` of `encode` at the server, or its message at the client; both end in the
    server's half of the carry's mask. `answer`: uint32, the bits of `evaluate`.

    >>> spec, kept = FssSpec("relu", 12, 23, False, 4095, 1), np.zeros(256, np.uint8)
    >>> version_numbers(spec, kept, np.array([6], np.uint32))[:4].tolist()
    [0, 1, 1, 0]
    """
    lanes = np.arange(LANES, dtype=np.uint32)
    planes = answer.reshape(-1, spec.answer_group_bytes // 4).copy()
    if spec.exact and spec.truncate_bits > 0:
        planes[:, -1] ^= sent.view(np.uint32).reshape(len(planes), -1)[:, -1]
    bits = planes[:, :, None] >> lanes & 1  # (groups, answer words, 32)
    weights = np.arange(bits.shape[1], dtype=np.uint32)[:, None]
    return (bits << weights).sum(axis=1).astype(np.intp).reshape(-1)


def finish(spec: FssSpec, arguments: FinishArguments, threads: int = 1) -> None:
    """Fills the server's share y - r' of the result; its step after the round.

    A ReLU of x = 5 * 4096 and of -x from the first step to the result, both parties in one process and with
    correlated OTs made by hand:

    >>> spec = FssSpec("relu", 12, 20, False, 4095, 1)  # its table has 7 bits, so it needs no tree
    >>> call, rng, empty = FssCall(spec, gadget=0, first_group=0), np.random.default_rng(1), bytearray()
    >>> server_delta, client_delta = b"\\x01" + bytes(15), b"\\x02" + bytes(15)
    >>> v = rng.integers(0, 2**32, 32, np.uint32)
    >>> u = np.tile(np.array([5 * 4096, -5 * 4096], np.int32), 16).view(np.uint32) - v
    >>> def labels(packed, count, delta):
    ...     zero = rng.integers(0, 256, (1, count, 32, 16), np.uint8)
    ...     choices = np.unpackbits(packed.view(np.uint8), bitorder="little").reshape(1, count, 32, 1)
    ...     return zero, zero ^ choices * np.frombuffer(delta, np.uint8)
    >>> choices, bits = draw_choices(spec, 1), draw_bits(spec.client_bits, 1)
    >>> zero, active = labels(choices, spec.choice_ots, client_delta)
    >>> zero_label, active_label = labels(request_choices(spec, v, bits), spec.request_ots, server_delta)
    >>> corrections = bytearray(spec.correction_group_bytes)
    >>> of_client, of_server = bytearray(spec.client_state_group_bytes), bytearray(spec.server_state_group_bytes)
    >>> request(call, RequestArguments(
    ...     client_delta, bytes(16), v, bits, zero, active_label, corrections, of_client, empty, empty))
    >>> answer(call, AnswerArguments(
    ...     server_delta, bytes(16), choices, choices[:0], active, zero_label, corrections,
    ...     empty, of_server, empty, empty))
    >>> message, kept = bytearray(spec.online_group_bytes), bytearray(spec.kept_group_bytes)
    >>> encode(call, FssEncodeArguments(server_delta, bytes(16), of_server, u, message, kept))
    >>> r = np.arange(32, dtype=np.uint32)  # uniform in real use
    >>> z, eps, share = np.empty(32, np.uint32), np.empty(1, np.uint32), np.empty(32, np.uint32)
    >>> evaluate(call, FssEvaluateArguments(client_delta, bytes(16), of_client, message, r, z, eps))
    >>> finish(spec, FinishArguments(kept, z, eps, share))
    >>> (share + r)[:4].tolist()
    [5, 0, 5, 0]

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type.
    """
    _native.fss.finish(
        spec.native,
        kept=arguments.kept,
        z=arguments.z,
        answer=arguments.answer,
        out_share=arguments.out_share,
        threads=threads,
    )
