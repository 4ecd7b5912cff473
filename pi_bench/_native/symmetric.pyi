from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

_Bytes: TypeAlias = Buffer | NDArray[np.uint8]
_OutBytes: TypeAlias = bytearray | memoryview | NDArray[np.uint8]

class UnsupportedCpuError(RuntimeError): ...

def selected_isa() -> str: ...
def resolve_isa(name: str) -> str: ...
def aes128_encrypt(key: _Bytes, blocks: _Bytes, out: _OutBytes, isa: str = "") -> None: ...
def prg(seed: _Bytes, first_block: int, out: _OutBytes, isa: str = "") -> None: ...
def hash_labels(
    seed: _Bytes,
    purpose: int,
    gadget: int,
    first_group: int,
    position: int,
    labels: _Bytes,
    out: _OutBytes,
    isa: str = "",
) -> None: ...
