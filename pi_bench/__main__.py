"""Runs the command line of ``pi-bench`` for ``python -m pi_bench``."""

import sys

from pi_bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
