"""Entry point of ``synthcli`` and ``python -m synthcli``; tiny, so that a broken installation exits 4 and not 1."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType


def main() -> None:
    """Run the command line and exit with its code."""
    _heed_signals()
    _open_streams()
    # With several threads the linear algebra library adds up in another order, so that last bits would follow from the
    # number of processors. It reads this once, as it is loaded; commands have threads and processes of their own.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    try:
        from synthcli.app import run
    except ImportError as error:
        sys.stderr.write(f"synthcli: the installation is incomplete: {error}\nhint: install synthcli again\n")
        sys.exit(4)
    sys.exit(run(sys.argv[1:]))


def _heed_signals() -> None:
    """End at once when told to: before a command begins to work and after it there is nothing to tidy up."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)


def _open_streams() -> None:
    """Give streams that were closed (``2>&-``) the null device, else the first file to be opened would be stderr."""
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            os.set_inheritable(number, True)
            setattr(sys, name, os.fdopen(number, mode, closefd=False))


if __name__ == "__main__":
    main()
