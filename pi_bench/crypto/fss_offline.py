"""Runs the steps of an FSS gadget before the client's input is known; `fss` has the overview."""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.crypto.fss_arguments import (
    AnswerArguments,
    FssCall,
    GrowArguments,
    RequestArguments,
)
from pi_bench.crypto.fss_spec import FssSpec
from pi_bench.crypto.gadget_arguments import Buffer, OutBuffer
from pi_bench.crypto.kdf import domain_hash
from pi_bench.crypto.kernel_arguments import as_keywords
from pi_bench.crypto.randomness import random_words
from pi_bench.crypto.symmetric import LANES


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
    """Draws a party's other bits, uint32 (groups * bits,).

    Args:
        bits: `server_bits` or `client_bits` of a spec.

    >>> draw_bits(FssSpec("relu", 12, 23, False, 4095, 1).client_bits, 3).shape
    (3,)
    """
    return random_words((groups * bits,))


def request_choices(spec: FssSpec, v: np.ndarray, bits: np.ndarray) -> np.ndarray:
    """Returns the client's OT choices, uint8, one bit per OT, packed little-bit-first in label order.

    Args:
        v: uint32 (groups * 32,).
        bits: those of `request`.

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

    >>> spec = FssSpec("relu", 12, 13, False, 4095, 1)  # a sign alone, without a table
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
    _native.fss.request(call.spec.native, **as_keywords(call, arguments))


def answer(call: FssCall, arguments: AnswerArguments) -> None:
    """Prepares the groups of `call` at the server, from the client's corrections.

    >>> spec = FssSpec("relu", 12, 13, False, 4095, 1)  # a sign alone, without a table
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
    _native.fss.answer(call.spec.native, **as_keywords(call, arguments))


def grow(call: FssCall, arguments: GrowArguments) -> None:
    """Takes the other party's bundle of a level, and fills this party's bundle of the next level.

    Levels are taken in order, each once, by both parties. The state counts them:

    >>> spec = FssSpec("relu", 12, 23, False, 4095, 1)
    >>> v, bits, call = np.zeros(32, np.uint32), draw_bits(spec.client_bits, 1), FssCall(spec, 0, 0)
    >>> zero = np.zeros((1, spec.choice_ots, 32, 16), np.uint8)
    >>> active = np.zeros((1, spec.request_ots, 32, 16), np.uint8)
    >>> state, scratch = bytearray(spec.client_state_group_bytes), bytearray(spec.scratch_group_bytes)
    >>> corrections, first = bytearray(spec.correction_group_bytes), bytearray(spec.bundle_group_bytes(1))
    >>> delta, received = b"\x02" + bytes(15), bytes(spec.bundle_group_bytes(1))
    >>> bundle = bytearray(spec.bundle_group_bytes(2))
    >>> request(call, RequestArguments(
    ...     delta, bytes(16), v, bits, zero, active, corrections, state, scratch, first))
    >>> grow(call, GrowArguments("client", delta, bytes(16), 1, received, state, scratch, bundle))
    >>> any(bundle)
    True
    >>> grow(call, GrowArguments("client", delta, bytes(16), 1, received, state, scratch, bundle))
    Traceback (most recent call last):
    ValueError: state: grow comes a second time or too early; a state serves once, ...

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, there is no such level or party, the
            lowest bit of delta is not the party's, or the state took this level before, lacks the last or was
            not begun.
    """
    _native.fss.grow(call.spec.native, **as_keywords(call, arguments))


def accept_opening(spec: FssSpec, opening: Buffer, state: OutBuffer, threads: int = 1) -> None:
    """Completes the client's state of a truncation by the server's opening, once, before `evaluate`.

    A ReLU has an opening of no bytes, which changes nothing:

    >>> spec = FssSpec("relu", 12, 23, False, 4095, 1)
    >>> state = bytearray(spec.client_state_group_bytes)
    >>> accept_opening(spec, b"", state)
    >>> any(state)
    False

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, or the state was completed before or was
            not begun.
    """
    _native.fss.accept_opening(spec.native, opening=opening, state=state, threads=threads)
