from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

_Bytes: TypeAlias = Buffer | NDArray[np.uint8]
_OutBytes: TypeAlias = bytearray | memoryview | NDArray[np.uint8]

GROUP_TREES: int
ROW_ONES: int

# The arguments that end a line with "out" are written.

def correct(
    hash_seed: _Bytes,
    batch: int,
    groups: int,
    levels: int,
    delta: _Bytes,
    path_labels: _Bytes,
    corrections: _OutBytes,  # out
    threads: int = 1,
    isa: str = "",
) -> None: ...
def send(
    hash_seed: _Bytes,
    batch: int,
    first_group: int,
    groups: int,
    levels: int,
    code_seed: _Bytes,
    secrets: _Bytes,
    delta: _Bytes,
    path_labels: _Bytes,
    labels: _OutBytes,  # out
    threads: int = 1,
    isa: str = "",
) -> None: ...
def receive(
    hash_seed: _Bytes,
    batch: int,
    first_group: int,
    groups: int,
    levels: int,
    code_seed: _Bytes,
    secrets: _Bytes,
    path_labels: _Bytes,
    corrections: _Bytes,
    labels: _OutBytes,  # out
    threads: int = 1,
    isa: str = "",
) -> None: ...
def derandomize_receiver(
    labels: _Bytes,
    count: int,
    choice_bits: _Bytes,
    even: bool,
    message: _OutBytes,  # out
    out_labels: _OutBytes,  # out
    isa: str = "",
) -> None: ...
def derandomize_sender(
    labels: _Bytes,
    count: int,
    delta: _Bytes,
    message: _Bytes,
    out_labels: _OutBytes,  # out
    isa: str = "",
) -> None: ...
