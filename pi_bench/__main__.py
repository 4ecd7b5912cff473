"""``python -m pi_bench`` is ``pi-bench``."""

import sys

from pi_bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
