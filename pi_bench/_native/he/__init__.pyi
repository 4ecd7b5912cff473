from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from . import parts as parts

_Bytes: TypeAlias = Buffer | NDArray[np.uint8]
_OutBytes: TypeAlias = bytearray | memoryview | NDArray[np.uint8]
_Small: TypeAlias = NDArray[np.int8] | NDArray[np.uint8]
_Words: TypeAlias = NDArray[np.uint32]
_Residues: TypeAlias = NDArray[np.uint64]
_Extents: TypeAlias = tuple[int, int, int]

BINOMIAL_BITS: int
CIPHERTEXT_BYTES: int
COPY_KEYS: int
COPY_KEY_BYTES: int
COPY_ORDER: int
COPY_PRIME: int
DEGREE: int
FLOOD_BITS: int
JOIN_KEY_BYTES: int
LOADED_COPY_KEY_WORDS: int
LOADED_JOIN_KEY_WORDS: int
LOADED_WORDS: int
MAX_JOIN_LEVELS: int
MAX_PRODUCTS: int
MIN_RUN: int
PACKED_POLY_BYTES: int
PLAIN_BITS: int
PRIMES: tuple[int, int, int]
SEED_BYTES: int

def sample_ternary(seed: _Bytes, out: _Small, isa: str = "") -> None: ...
def encrypt(
    secret: _Small,
    messages: _Words | None,
    public_seeds: _Bytes,
    noise_seeds: _Bytes,
    out: _OutBytes,
    threads: int,
    copies: int = 1,
    isa: str = "",
) -> None: ...
def load(
    ciphertexts: _Bytes, group: int, out: _Residues, threads: int, copies: int = 1, isa: str = ""
) -> bool: ...
def decrypt(
    secret: _Small,
    answer: _Bytes,
    positions: NDArray[np.uint16],
    starts: NDArray[np.uint64],
    out: _Words,
    threads: int,
    isa: str = "",
) -> bool: ...
def transform_weights(
    weights: NDArray[np.int16],
    exponents: NDArray[np.uint16],
    shape: _Extents,
    block: _Extents,
    out: _Residues,
    threads: int,
    copies: tuple[int, int] = (1, 1),
    isa: str = "",
) -> None: ...
def respond(
    weights: NDArray[np.int16],
    exponents: NDArray[np.uint16],
    shape: _Extents,
    block: _Extents,
    prepared: _Residues | None,
    inputs: _Residues,
    public_key: _Residues,
    seeds: _Bytes,
    masks: _Words,
    positions: NDArray[np.uint16],
    starts: NDArray[np.uint64],
    out: _OutBytes,
    threads: int,
    copies: tuple[int, int] = (1, 1),
    isa: str = "",
) -> None: ...
def respond_unpacked(
    weights: NDArray[np.int16],
    exponents: NDArray[np.uint16],
    shape: _Extents,
    block: _Extents,
    prepared: _Residues | None,
    inputs: _Residues,
    public_key: _Residues,
    seeds: _Bytes,
    masks: _Words,
    positions: NDArray[np.uint16],
    starts: NDArray[np.uint64],
    c1: _Residues,
    c0: _Residues,
    threads: int,
    copies: tuple[int, int] = (1, 1),
    isa: str = "",
) -> None: ...
def make_join_keys(
    secret: _Small, public_seeds: _Bytes, noise_seeds: _Bytes, out: _OutBytes, isa: str = ""
) -> None: ...
def load_join_keys(keys: _Bytes, out: _Residues, isa: str = "") -> bool: ...
def make_copy_keys(
    secret: _Small, public_seeds: _Bytes, noise_seeds: _Bytes, out: _OutBytes, isa: str = ""
) -> None: ...
def load_copy_keys(keys: _Bytes, out: _Residues, isa: str = "") -> bool: ...
def add_copies(
    ciphertexts: _Bytes,
    group: int,
    copies: tuple[int, int],
    keys: _Residues,
    loaded: _Residues,
    threads: int,
    isa: str = "",
) -> None: ...
def join(
    c1: _Residues,
    c0: _Residues,
    keys: _Residues,
    per_answer: int,
    positions: NDArray[np.uint16],
    starts: NDArray[np.uint64],
    out: _OutBytes,
    threads: int,
    isa: str = "",
) -> None: ...
