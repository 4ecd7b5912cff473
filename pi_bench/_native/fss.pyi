from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from pi_bench._native.ot import ReceiverOts, SenderOts

_Bytes: TypeAlias = Buffer | NDArray[np.uint8]
_OutBytes: TypeAlias = bytearray | memoryview | NDArray[np.uint8]
_Words: TypeAlias = NDArray[np.uint32]

class Gadget:
    def __init__(
        self,
        *,
        kind: str,
        truncate_bits: int,
        window_bits: int,
        exact: bool,
        offset: int,
        sign_drop: int,
    ) -> None: ...
    def bundle_group_bytes(self, level: int) -> int: ...
    @property
    def choice_ots(self) -> int: ...
    @property
    def request_ots(self) -> int: ...
    @property
    def server_bits(self) -> int: ...
    @property
    def client_bits(self) -> int: ...
    @property
    def correction_group_bytes(self) -> int: ...
    @property
    def opening_group_bytes(self) -> int: ...
    @property
    def bundle_count(self) -> int: ...
    @property
    def online_group_bytes(self) -> int: ...
    @property
    def answer_words(self) -> int: ...
    @property
    def server_state_group_bytes(self) -> int: ...
    @property
    def client_state_group_bytes(self) -> int: ...
    @property
    def scratch_group_bytes(self) -> int: ...
    @property
    def share_versions(self) -> int: ...
    @property
    def kept_group_bytes(self) -> int: ...

def request_choices(spec: Gadget, v: _Words, bits: _Words, out: _Words) -> None: ...
def request(
    spec: Gadget,
    *,
    gadget: int,
    first_group: int,
    delta: _Bytes,
    hash_seed: _Bytes,
    v: _Words,
    bits: _Words,
    choice_labels: _Bytes | SenderOts,
    request_labels: _Bytes | ReceiverOts,
    out_corrections: _OutBytes,
    out_state: _OutBytes,
    out_scratch: _OutBytes,
    out_bundle: _OutBytes,
    threads: int,
    isa: str,
) -> None: ...
def answer(
    spec: Gadget,
    *,
    gadget: int,
    first_group: int,
    delta: _Bytes,
    hash_seed: _Bytes,
    choices: _Words,
    bits: _Words,
    choice_labels: _Bytes,
    request_labels: _Bytes | SenderOts,
    corrections: _Bytes,
    out_opening: _OutBytes,
    out_state: _OutBytes,
    out_scratch: _OutBytes,
    out_bundle: _OutBytes,
    threads: int,
    isa: str,
) -> None: ...
def grow(
    spec: Gadget,
    *,
    party: str,
    gadget: int,
    first_group: int,
    delta: _Bytes,
    hash_seed: _Bytes,
    level: int,
    received: _Bytes,
    state: _OutBytes,
    scratch: _OutBytes,
    out_bundle: _OutBytes,
    threads: int,
    isa: str,
) -> None: ...
def accept_opening(spec: Gadget, *, opening: _Bytes, state: _OutBytes, threads: int) -> None: ...
def encode(
    spec: Gadget,
    *,
    gadget: int,
    first_group: int,
    delta: _Bytes,
    hash_seed: _Bytes,
    state: _OutBytes,
    u: _Words,
    out_message: _OutBytes,
    out_kept: _OutBytes,
    threads: int,
    isa: str,
) -> None: ...
def evaluate(
    spec: Gadget,
    *,
    gadget: int,
    first_group: int,
    delta: _Bytes,
    hash_seed: _Bytes,
    state: _OutBytes,
    message: _Bytes,
    next_mask: _Words,
    out_z: _Words,
    out_answer: _Words,
    threads: int,
    isa: str,
) -> None: ...
def finish(
    spec: Gadget, *, kept: _Bytes, z: _Words, answer: _Words, out_share: _Words, threads: int
) -> None: ...
