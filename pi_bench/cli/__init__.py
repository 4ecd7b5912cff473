"""The command line: ``pi-bench COMMAND``. Every expected failure is one line and an exit code."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from pi_bench.errors import EXIT_INTERRUPTED, PiBenchError

EXIT_TERMINATED = 143


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; returns its exit code."""
    from pi_bench.cli.parser import make_parser

    try:
        signal.signal(signal.SIGTERM, _terminate)
        parsed = make_parser().parse_args(arguments)
        return int(parsed.run(parsed))
    except PiBenchError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone, as in `pi-bench … | head`; nothing is left to say.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("PI_BENCH_TRACEBACK"):
            raise
        _say(
            f"internal: {type(error).__name__}: {error} (PI_BENCH_TRACEBACK=1 shows where; please report it)"
        )
        return 1


def _terminate(number: int, frame: object) -> None:
    raise SystemExit(EXIT_TERMINATED)  # through the contexts that end the parties


def _say(message: str) -> None:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
