"""Runs the one round of an FSS gadget; `fss` has the overview."""

from __future__ import annotations

import numpy as np

from pi_bench import _native
from pi_bench.crypto.fss_arguments import (
    FinishArguments,
    FssCall,
    FssEncodeArguments,
    FssEvaluateArguments,
)
from pi_bench.crypto.fss_spec import FssSpec
from pi_bench.crypto.kernel_arguments import as_keywords
from pi_bench.crypto.symmetric import LANES


def encode(call: FssCall, arguments: FssEncodeArguments) -> None:
    """Makes the message for the server's share `u`; the server's step before the round.

    `out_kept` then holds the versions of the server's share (`share_versions`). Two messages of one state
    would reveal the difference of two values, so the step spends the state. Nor is a state taken that no
    `answer` has begun, such as wiped memory, which would mask nothing. `finish` shows the whole gadget.

    >>> spec = FssSpec("relu", 12, 20, False, 4095, 1)
    >>> state, u = bytearray(spec.server_state_group_bytes), np.zeros(32, np.uint32)
    >>> message, kept = bytearray(spec.online_group_bytes), bytearray(spec.kept_group_bytes)
    >>> arguments = FssEncodeArguments(b"\\x01" + bytes(15), bytes(16), state, u, message, kept)
    >>> len(message)  # 32 words, 8 bits and 1 bit per element
    164
    >>> encode(FssCall(spec, 0, 0), arguments)
    Traceback (most recent call last):
    ValueError: state: encode comes a second time or too early; a state serves once, ...

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, the lowest bit of delta is 0, or the
            state is spent, lacks bundles or was not begun.
    """
    _native.fss.encode(call.spec.native, **as_keywords(call, arguments))


def evaluate(call: FssCall, arguments: FssEvaluateArguments) -> None:
    """Fills `out_z` and `out_answer`, the client's answer to the server's message, and spends the state.

    A state that no `request` has begun is refused. `finish` shows the whole gadget.

    >>> spec = FssSpec("relu", 12, 20, False, 4095, 1)
    >>> state, message = bytearray(spec.client_state_group_bytes), bytes(spec.online_group_bytes)
    >>> r, z, bits = np.zeros(32, np.uint32), np.empty(32, np.uint32), np.empty(1, np.uint32)
    >>> evaluate(FssCall(spec, 0, 0), FssEvaluateArguments(bytes(16), bytes(16), state, message, r, z, bits))
    Traceback (most recent call last):
    ValueError: state: evaluate comes a second time or too early; a state serves once, ...

    Raises:
        ValueError, TypeError: a buffer has the wrong size or type, the lowest bit of delta is 1, or the
            state is spent, lacks bundles or the opening, or was not begun.
    """
    _native.fss.evaluate(call.spec.native, **as_keywords(call, arguments))


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

    Args:
        sent: uint8, `out_kept` of `encode` at the server, or its message at the client; both end in the
            server's half of the carry's mask.
        answer: uint32, the bits of `evaluate`.

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
    numbers: np.ndarray = (bits << weights).sum(axis=1).astype(np.intp)
    return numbers.reshape(-1)


def finish(spec: FssSpec, arguments: FinishArguments, threads: int = 1) -> None:
    """Fills the server's share y - r' of the result; its step after the round.

    A ReLU of x = 5 * 4096 and of -x from the first step to the result, both parties in one process and with
    correlated OTs made by hand:

    >>> from pi_bench.crypto.fss import (
    ...     AnswerArguments, RequestArguments, answer, draw_bits, draw_choices, request, request_choices)
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
    >>> of_client = bytearray(spec.client_state_group_bytes)
    >>> of_server = bytearray(spec.server_state_group_bytes)
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
    _native.fss.finish(spec.native, **as_keywords(arguments), threads=threads)
