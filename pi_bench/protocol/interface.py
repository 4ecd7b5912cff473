"""What a protocol provides: one object per party and session.

The harness calls, on both parties and in this order: `set_up` once a connection; then, any number
of times, `preprocess` and `infer`. A protocol's steps may send any number of messages in either
direction in either phase. No state outlives the object; nothing is kept at module level.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from pi_bench.arithmetic.law import TRUNCATED_SIGN
from pi_bench.errors import UsageError
from pi_bench.network.program import Program, Weights
from pi_bench.primitives import Primitive
from pi_bench.protocol.prediction import PredictedBytes
from pi_bench.protocol.preprocessing import Preprocessing
from pi_bench.protocol.script import Purpose, RunScript
from pi_bench.protocol.session import SessionLike


@dataclass(frozen=True, slots=True)
class ProtocolOptions:
    """Options of a run. Both parties agree on all but `threads` and `weight_cache_bytes` in the
    handshake."""

    mode: str = "windowed"
    threads: int = 1
    label_chunk: int = 1  # bits, 1 to 4, whose labels one key on the wire unlocks
    sign_drop: int = 0  # mode truncated-sign: low bits of the window that the sign disregards

    weight_cache_bytes: int = 0  # what a server may spend on weights in the form that is used offline

    def require(self, program: Program) -> None:
        """Raises: UsageError: `sign_drop` belongs to no other mode, and leaves each window a bit."""
        if self.sign_drop and self.mode != TRUNCATED_SIGN:
            raise UsageError(f"sign drop {self.sign_drop}: only mode {TRUNCATED_SIGN} drops bits of the sign")
        for op in program.activation_ops:
            most = op.window_bits - op.truncate_bits
            if op.relu_count and not 0 <= self.sign_drop <= most:
                raise UsageError(
                    f"sign drop {self.sign_drop}: layer {op.name!r} has a window of {most + 1} bits and "
                    f"needs one for the sign; drop at most {most}"
                )


@dataclass(frozen=True, slots=True)
class OtherSettings:
    """Settings that a prediction may recommend in place of those of a run.

    `change` is the flag that a user would give (``--label-chunk 2``); `helps` lists the purposes whose cost
    it may reduce, so that an explanation names it there.
    """

    change: str
    options: ProtocolOptions
    helps: tuple[Purpose, ...]


def no_alternatives(program: Program, options: ProtocolOptions) -> Iterable[OtherSettings]:
    """Offers no other settings: for protocols without options that trade one cost for another."""
    del program, options
    return ()


@dataclass(frozen=True, slots=True)
class ProtocolInfo:
    """What `pi_bench.registry` finds as ``PROTOCOL`` in each ``pi_bench.protocols.NAME`` package."""

    name: str
    title: str  # says "insecure" if it is
    modes: tuple[str, ...]  # the default first
    secure: bool
    client: type[PartyProtocol]
    server: type[PartyProtocol]
    predict: Callable[[Program, ProtocolOptions], PredictedBytes]
    """Payload bytes of one inference of a program under the options."""
    script: Callable[[Program, ProtocolOptions], RunScript] | None = None
    """What both parties compute and send, from which times are predicted; None: they are not."""
    alternatives: Callable[[Program, ProtocolOptions], Iterable[OtherSettings]] = no_alternatives
    """Yields the other settings that are worth predicting, one change at a time."""
    primitives: tuple[Primitive, ...] = ()
    """Primitives of its own, whose units its script may use beside those of
    `pi_bench.primitives.built_in`."""


class PartyProtocol(ABC):
    """One party of one protocol on one session. `weights` is None at the client.

    `prepared`: at a server, what `prepare` gave for the same program, options and weights, or None.
    """

    def __init__(
        self,
        session: SessionLike,
        program: Program,
        options: ProtocolOptions,
        weights: Weights | None,
        prepared: object = None,
    ) -> None:
        del prepared
        self.session = session
        self.program = program
        self.options = options
        self.weights = weights

    @classmethod
    def prepare(cls, program: Program, options: ProtocolOptions, weights: Weights) -> object:
        """What a server computes once for all its sessions, if anything; nothing may change it later."""
        del program, options, weights
        return None

    def set_up(self) -> None:  # noqa: B027 - optional
        """Keys and base OTs, once a connection."""

    @abstractmethod
    def preprocess(self, inference_id: int) -> Preprocessing:
        """The offline phase of one inference; `inference_id` never repeats in a session."""

    @abstractmethod
    def infer(self, material: Preprocessing, encoded_input: np.ndarray | None) -> np.ndarray | None:
        """The online phase: claims `material` first, before any byte is sent.

        `encoded_input`: uint32 of the input's shape at the client, None at the server. Returns the
        revealed output, uint32 of the output's shape, at the client, None at the server.
        """

    def close(self) -> None:  # noqa: B027 - optional
        """Wipes secrets."""
