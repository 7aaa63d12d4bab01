"""Entry point of ``synthcli`` and ``python -m synthcli``; tiny, so that a broken installation exits 4 and not 1."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line and exit with its code."""
    # With several threads the linear algebra library adds up in another order, so that last bits would follow from the
    # number of processors. It reads this once, as it is loaded; commands have threads and processes of their own.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        from synthcli.app import run
    except ImportError as error:
        sys.stderr.write(f"synthcli: the installation is incomplete: {error}\nhint: install synthcli again\n")
        sys.exit(4)
    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
