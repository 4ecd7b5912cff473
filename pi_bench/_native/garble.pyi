from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

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
        label_chunk: int,
        sign_drop: int,
        garbling: str,
    ) -> None: ...
    @property
    def label_ots(self) -> int: ...
    @property
    def gate_count(self) -> int: ...
    @property
    def garbled_group_bytes(self) -> int: ...
    @property
    def state_group_bytes(self) -> int: ...
    @property
    def online_group_bytes(self) -> int: ...

def garble(
    spec: Gadget,
    *,
    gadget: int,
    first_group: int,
    delta: _Bytes,
    hash_seed: _Bytes,
    label_seed: _Bytes,
    zero_labels: _Bytes,
    select_bits: _Bytes | None,
    alpha: _Words | None,
    out_garbled: _OutBytes,
    out_state: _OutBytes,
    threads: int,
    isa: str,
) -> None: ...
def accept(
    spec: Gadget,
    *,
    gadget: int,
    first_group: int,
    hash_seed: _Bytes,
    v: _Words,
    active_labels: _Bytes,
    garbled: _OutBytes,
    threads: int,
    isa: str,
) -> None: ...
def encode(
    spec: Gadget,
    *,
    gadget: int,
    first_group: int,
    delta: _Bytes,
    label_seed: _Bytes,
    state: _Bytes,
    u: _Words,
    out_message: _OutBytes,
    out_mask: _Words,
    threads: int,
    isa: str,
) -> None: ...
def evaluate(
    spec: Gadget,
    *,
    gadget: int,
    first_group: int,
    hash_seed: _Bytes,
    v: _Words,
    beta: _Words | None,
    active_labels: _Bytes,
    garbled: _Bytes,
    message: _Bytes,
    next_mask: _Words,
    out_z: _Words,
    threads: int,
    isa: str,
) -> None: ...
def choice_bits(spec: Gadget, v: _Words, out: _Words) -> None: ...
def correlation(spec: Gadget, v: _Words, out: _Words) -> None: ...
