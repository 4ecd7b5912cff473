import time

import pytest

from pi_bench.metrics.resources import PeakMemoryMeter, cpu_time_s
from pi_bench.metrics.spans import SpanRecorder
from pi_bench.protocol.span import Span


def test_sending_and_waiting_are_no_computing() -> None:
    started = time.perf_counter()
    recorder = SpanRecorder()
    outside = recorder.current
    with recorder.step(4, "ot"):
        time.sleep(0.02)
        recorder.pause()
        time.sleep(0.03)
        recorder.book_send()
        time.sleep(0.04)
        recorder.book_wait()
        span = recorder.current
    total = time.perf_counter() - started
    assert span.compute_s >= 0.02 and span.send_s >= 0.03 and span.wait_s >= 0.04
    assert span.compute_s + span.send_s + span.wait_s <= total  # nothing is counted twice
    assert recorder.current is outside
    assert recorder.spans == [outside, span] and (span.op_id, span.part) == (4, "ot")


def test_a_step_entered_twice_is_one_span() -> None:
    recorder = SpanRecorder()
    outside = recorder.current
    for _ in range(2):
        with recorder.step(1, ""), recorder.step(2, ""), recorder.step(1, ""):
            assert recorder.current.op_id == 1
        assert recorder.current is outside
    assert [span.op_id for span in recorder.spans] == [-1, 1, 2]


def test_an_error_leaves_a_step() -> None:
    recorder = SpanRecorder()
    outside = recorder.current
    with pytest.raises(ZeroDivisionError), recorder.step(1, ""):
        1 / 0  # noqa: B018
    assert recorder.current is outside


def test_a_span_travels() -> None:
    span = Span(3, "he", 0.5, sent_bytes=7, depth_count=2)
    assert Span.from_dict(span.as_dict()) == span


def test_peak_memory_is_of_the_phase() -> None:
    memory = PeakMemoryMeter()
    if not memory.by_phase:
        return  # the fallback is the peak of the process, which only grows
    block = bytearray(b"\1" * 80_000_000)
    with_block = memory.read_bytes()
    del block
    memory.reset()
    assert memory.read_bytes() < with_block - 60_000_000


def test_cpu_time_counts_work_not_sleep() -> None:
    started = cpu_time_s()
    time.sleep(0.05)
    slept = cpu_time_s() - started
    sum(range(2_000_000))
    worked = cpu_time_s() - started
    assert slept < 0.04
    assert worked > slept
