import time

from pi_bench.measure.resources import PeakMemory, cpu_time_s
from pi_bench.measure.spans import Span, SpanRecorder


def test_sending_and_waiting_are_no_computing() -> None:
    started = time.perf_counter()
    recorder = SpanRecorder()
    recorder.enter(4, "ot")
    time.sleep(0.02)
    recorder.pause()
    time.sleep(0.03)
    recorder.book_send()
    time.sleep(0.04)
    recorder.book_wait()
    recorder.leave()
    span = recorder.spans[4, "ot"]
    total = time.perf_counter() - started
    assert span.compute_s >= 0.02 and span.send_s >= 0.03 and span.wait_s >= 0.04
    assert span.compute_s + span.send_s + span.wait_s <= total  # nothing is counted twice
    assert recorder.current is recorder.spans[-1, ""]


def test_a_step_entered_twice_is_one_span() -> None:
    recorder = SpanRecorder()
    for _ in range(2):
        recorder.enter(1, "")
        recorder.leave()
    assert len(recorder.spans) == 2  # the step, and what belongs to none


def test_a_span_travels() -> None:
    span = Span(3, "he", 0.5, sent_bytes=7, depth_count=2)
    assert Span.from_dict(span.as_dict()) == span


def test_peak_memory_is_of_the_phase() -> None:
    memory = PeakMemory()
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
