"""Options of the commands that run or predict inferences: batch, threads, memory, link and time-outs."""

from __future__ import annotations

import argparse

from pi_bench.cli.arguments import count, digest_prefix, link, positive_int, positive_seconds, thread_count

DEFAULT_TIMEOUT_S = 120.0
DEFAULT_WEIGHT_CACHE_MB = 1000


def add_batch(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--batch", type=positive_int, metavar="N", help=f"inputs of one inference, run together ({default})"
    )


def add_threads(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--threads", type=thread_count, metavar="N", help=f"computing threads of each party ({default})"
    )


def add_weight_cache(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weight-cache",
        type=count,
        default=DEFAULT_WEIGHT_CACHE_MB,
        metavar="MB",
        help="memory that the server may spend on weights transformed for the offline phase, never more than "
        "a quarter of what is free at its start; what does not fit is transformed for every inference "
        f"({DEFAULT_WEIGHT_CACHE_MB})",
    )


def add_link(parser: argparse.ArgumentParser, default: str) -> None:
    parser.add_argument(
        "--link",
        type=link,
        metavar="LINK",
        help="the link between the parties, each direction apart: lan, 10g, wan, mobile, or bandwidth and "
        f"round trip such as 100Mbit,40ms (up= and down= for bandwidths apart); {default}",
    )


def add_timeout(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=DEFAULT_TIMEOUT_S,
        metavar="S",
        help="how long a party may be silent: the other one, in a queue of clients too, or a process of this "
        f"command that neither speaks nor computes, from its start on (default {DEFAULT_TIMEOUT_S:g} s)",
    )


def add_expect_digest(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--expect-digest",
        type=digest_prefix,
        metavar="HEX",
        help="fail unless the public program has this digest (see inspect); 16 digits or more of it will do",
    )
