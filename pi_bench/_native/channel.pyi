from collections.abc import Iterable, Iterator

from numpy import generic, uint8
from numpy.typing import NDArray
from typing_extensions import Buffer

from pi_bench._native.checksum import Checksum

class Prefetch(Iterator[None]):
    def __init__(self, arrays: Iterable[Buffer | NDArray[generic]]) -> None: ...
    def __iter__(self) -> Prefetch: ...
    def __next__(self) -> None: ...
    def drop(self, count: int) -> None: ...

def send_at_once(socket: int, sum: Checksum | None, *pieces: Buffer) -> tuple[int, int] | None: ...
def poll_frame(
    socket: int,
    expected: Buffer,
    header: Buffer,
    payload: Buffer | NDArray[uint8],
    poll_s: float,
    ahead: Prefetch | None,
    sum: Checksum | None,
) -> tuple[int, bool]: ...
