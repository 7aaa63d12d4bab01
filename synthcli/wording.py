"""Quantities in words, as a person says them: how much memory or disk, how long."""

from __future__ import annotations


def size(count: float) -> str:
    """Return bytes (>= 0) in the unit that people would use.

    >>> size(345), size(700_000), size(2_500_000), size(24_000_000_000)
    ('345 bytes', '700 kB', '2.5 MB', '24 GB')
    """
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= 0.9995 * unit:  # 999.6 kB would be said as 1,000
            many = count / unit
            return f"{many:,.0f} {name}" if many >= 9.95 else f"{many:.1f}".removesuffix(".0") + f" {name}"
    return f"{count:.0f} bytes"


def span(seconds: float) -> str:
    """Return a length of time (>= 0 seconds).

    >>> span(40), span(130), span(5_400)
    ('40 s', '2 min', '1.5 h')
    """
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 90 * 60 else f"{seconds / 3600:.1f} h"
