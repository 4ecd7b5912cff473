from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray
from typing_extensions import Buffer

from pi_bench._native.checksum import Checksum

class Task:
    def __call__(self) -> None: ...

class Schedule:
    def __init__(self, reads: Iterable[Buffer | NDArray[np.generic]]) -> None: ...
    def send(self, *pieces: Buffer) -> None: ...
    def receive(self, payload: Buffer) -> None: ...
    def work(self, task: Task, ranges_done: int) -> None: ...
    def call(self, run: Callable[[], object], ranges_done: int) -> None: ...
    def run(
        self,
        first: int,
        socket: int,
        poll_s: float,
        shared: Buffer,
        own: Buffer,
        header: Buffer,
        sent: Checksum | None,
        received: Checksum | None,
        ends_ns: NDArray[np.int64],
    ) -> tuple[int, bool, tuple[int, int], tuple[int, bool]]: ...
