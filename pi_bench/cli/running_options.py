"""Options of the commands that run or predict inferences: batch, threads, memory, link and time-outs."""

from __future__ import annotations

import argparse

from pi_bench import defaults
from pi_bench.cli.arguments import count, digest_prefix, link, positive_int, positive_seconds, thread_count

DEFAULT_TIMEOUT_S = defaults.TIMEOUT_S
DEFAULT_WEIGHT_CACHE_MB = defaults.WEIGHT_CACHE_MB


def add_batch(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds ``--batch``.

    Args:
        default: says in the help which value is used without it.

    >>> parser = argparse.ArgumentParser()
    >>> add_batch(parser, default="default 1")
    >>> parser.parse_args(["--batch", "4"]).batch
    4
    """
    parser.add_argument(
        "--batch", type=positive_int, metavar="N", help=f"inputs that one inference runs together ({default})"
    )


def add_threads(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds ``--threads``.

    Args:
        default: says in the help which value is used without it.

    >>> parser = argparse.ArgumentParser()
    >>> add_threads(parser, default="default: all cores")
    >>> parser.parse_args(["--threads", "2"]).threads
    2
    """
    parser.add_argument(
        "--threads", type=thread_count, metavar="N", help=f"computing threads per party ({default})"
    )


def add_weight_cache(parser: argparse.ArgumentParser) -> None:
    """Adds ``--weight-cache``, in MB.

    >>> parser = argparse.ArgumentParser()
    >>> add_weight_cache(parser)
    >>> parser.parse_args(["--weight-cache", "500"]).weight_cache
    500
    """
    parser.add_argument(
        "--weight-cache",
        type=count,
        default=DEFAULT_WEIGHT_CACHE_MB,
        metavar="MB",
        help="memory that the server may use for weights in the form that the offline phase needs, at most a "
        "quarter of the memory that is free when it starts; weights that do not fit are transformed again "
        f"for every inference (default {DEFAULT_WEIGHT_CACHE_MB})",
    )


def add_link(parser: argparse.ArgumentParser, default: str) -> None:
    """Adds ``--link``.

    Args:
        default: says in the help which value is used without it.

    >>> parser = argparse.ArgumentParser()
    >>> add_link(parser, default="default: loopback")
    >>> parser.parse_args(["--link", "100Mbit,40ms"]).link.rtt_s
    0.04
    """
    parser.add_argument(
        "--link",
        type=link,
        metavar="LINK",
        help="link between the parties: lan, 10g, wan, mobile, loopback, or a bandwidth and a round trip "
        "such as 100Mbit,40ms; each direction has the whole bandwidth, unless up= and down= give two "
        f"bandwidths ({default})",
    )


def add_timeout(parser: argparse.ArgumentParser) -> None:
    """Adds ``--timeout``, in seconds.

    >>> parser = argparse.ArgumentParser()
    >>> add_timeout(parser)
    >>> parser.parse_args(["--timeout", "30"]).timeout
    30.0
    """
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=DEFAULT_TIMEOUT_S,
        metavar="S",
        help="seconds without progress after which the command fails; there is no progress while the other "
        "party sends nothing (a server may be busy with another client), or while a process of this command "
        "neither sends nor computes "
        f"(default {DEFAULT_TIMEOUT_S:g} s)",
    )


def add_expect_digest(parser: argparse.ArgumentParser) -> None:
    """Adds ``--expect-digest``.

    >>> parser = argparse.ArgumentParser()
    >>> add_expect_digest(parser)
    >>> parser.parse_args(["--expect-digest", "0123456789abcdef"]).expect_digest
    '0123456789abcdef'
    """
    parser.add_argument(
        "--expect-digest",
        type=digest_prefix,
        metavar="HEX",
        help="fail unless the public program has this digest, which `pi-bench inspect` prints; 16 digits or "
        "more are enough",
    )
