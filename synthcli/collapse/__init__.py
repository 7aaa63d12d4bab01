"""Generations of a generator that learn from each other: regimes, chains, what is measured, verdicts, fresh data.

A chain is one simulated history: real rows, a generator, its output, a generator that learns from that output, and so
on. ``regimes`` say what a generation learns from, ``chains`` run one history, a ``ruler`` holds every output against
the real holdout by the metrics of ``measures``, ``verdicts`` say what many chains show together, ``mechanisms`` tell
drift from bias, ``minimum`` finds how much fresh real data is enough, and ``findings`` puts it together as plain data.
No chain learns from the holdout.
"""
