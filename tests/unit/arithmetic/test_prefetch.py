import numpy as np

from pi_bench.arithmetic.prefetch import prefetch


class Watched(np.ndarray):
    """Notes which of its bytes are reduced."""

    def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
        plain = np.asarray(inputs[0])
        start = plain.__array_interface__["data"][0]
        self.seen += [start + 64 * line for line in range(plain.size)]
        return getattr(ufunc, method)(plain, **keywords)

    def __array_finalize__(self, source) -> None:
        self.seen = getattr(source, "seen", [])


def test_every_cache_line_is_read_in_order() -> None:
    first, second = np.zeros((3, 100_000), np.uint16).view(Watched), np.zeros(7, np.uint8).view(Watched)
    steps = 0
    for _ in prefetch([first, second]):
        steps += 1
    start = first.__array_interface__["data"][0]
    assert first.seen == list(range(start, start + first.nbytes, 64))
    assert len(second.seen) == 1
    assert steps == -(-first.nbytes // (32 << 10)) + 1


def test_it_stops_where_it_is_left() -> None:
    array = np.zeros(1 << 20, np.uint8).view(Watched)
    steps = prefetch([array])
    next(steps)
    assert 0 < len(array.seen) < array.nbytes // 64
    assert next(prefetch([np.empty(0, np.int16)]), "nothing") == "nothing"
