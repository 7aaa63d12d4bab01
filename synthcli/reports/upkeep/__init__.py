"""What ``refresh``, ``status`` and ``history`` say in a terminal: the verdict first, then why, then the figures.

All three are rendered from plain documents, and nothing is computed here: what exceeds its noise is marked, what is
largest comes first, and a date is a date. Tables leave out their least columns where a console is narrow, so that no
line is longer than it and no word is cut.
"""

from synthcli.reports.upkeep.history import history_report, sparkline
from synthcli.reports.upkeep.refresh import refresh_report
from synthcli.reports.upkeep.status import status_report

__all__ = ["history_report", "refresh_report", "sparkline", "status_report"]
