from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

_Bytes: TypeAlias = Buffer | NDArray[np.uint8]
_OutBytes: TypeAlias = bytearray | memoryview | NDArray[np.uint8]
_Words: TypeAlias = NDArray[np.uint32]

CHUNK_OTS: int
LEAF_BYTES: int
ROOT_BYTES: int
TREE_MESSAGE_BYTES: int

# The arguments that end a line with "out" are written.

class SenderOts:
    def __init__(
        self, *, leaves: _Bytes, delta: _Bytes, first_chunk: int, count: int, message: _Bytes
    ) -> None: ...

class ReceiverOts:
    def __init__(
        self,
        *,
        leaves: _Bytes,
        first_chunk: int,
        count: int,
        choice_bits: _Bytes,
        message: _OutBytes,  # out, by the kernel that makes the labels
    ) -> None: ...

def grow_trees(
    roots: _Bytes,
    base_pairs: _Bytes,
    leaves: _OutBytes,  # out
    message: _OutBytes,  # out
    isa: str = "",
) -> None: ...
def puncture_trees(
    delta: _Bytes,
    base_keys: _Bytes,
    message: _Bytes,
    leaves: _OutBytes,  # out
    isa: str = "",
) -> None: ...
def extend_receiver(
    leaves: _Bytes,
    first_chunk: int,
    count: int,
    choice_bits: _Bytes,
    message: _OutBytes,  # out
    labels: _OutBytes,  # out
    threads: int = 1,
    isa: str = "",
) -> None: ...
def extend_sender(
    leaves: _Bytes,
    delta: _Bytes,
    first_chunk: int,
    count: int,
    message: _Bytes,
    zero_labels: _OutBytes,  # out
    threads: int = 1,
    isa: str = "",
) -> None: ...
def additive_send(
    delta: _Bytes,
    hash_seed: _Bytes,
    gadget: int,
    first_group: int,
    zero_labels: _Bytes,
    correlation: _Words,
    tau: _Words,  # out
    beta: _Words,  # out
    threads: int = 1,
    isa: str = "",
) -> None: ...
def additive_receive(
    hash_seed: _Bytes,
    gadget: int,
    first_group: int,
    active_labels: _Bytes,
    choices: _Bytes,
    tau: _Words,
    alpha: _Words,  # out
    threads: int = 1,
    isa: str = "",
) -> None: ...
def product_send(
    delta: _Bytes,
    hash_seed: _Bytes,
    number: int,
    first_group: int,
    bit_count: int,
    zero_labels: _Bytes,
    factor: _Words,
    corrections: _Words,  # out
    share: _Words,  # out
    threads: int = 1,
    isa: str = "",
) -> None: ...
def product_receive(
    hash_seed: _Bytes,
    number: int,
    first_group: int,
    bit_count: int,
    active_labels: _Bytes,
    factor: _Words,
    corrections: _Words,
    share: _Words,  # out
    threads: int = 1,
    isa: str = "",
) -> None: ...
