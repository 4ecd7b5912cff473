"""Runs both parties of a protocol in one process, over memory: for tests, benchmarks and debugging.

Each party has a thread of its own, named after it. An error of either party is raised in the calling thread
with its traceback, so that a debugger stops where it happened. No time is measured, and every message can be
kept. See docs/debugging-a-protocol.md.
"""

from pi_bench.testing.memory_run import MemoryRun, run_in_memory, run_small_network
from pi_bench.testing.memory_session import MemorySession, SentMessage, memory_sessions
from pi_bench.testing.small_network import small_network
from pi_bench.testing.sub_protocol import run_sub_protocol
from pi_bench.testing.two_parties import TwoParties

__all__ = [
    "MemoryRun",
    "MemorySession",
    "SentMessage",
    "TwoParties",
    "memory_sessions",
    "run_in_memory",
    "run_small_network",
    "run_sub_protocol",
    "small_network",
]
