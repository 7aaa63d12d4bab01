"""Augmentation: a table with other shares of its classes, with more rows, or without holes; and what that brings.

Nothing in here sees a holdout row, except for ``lift``, which measures on the holdout what the others made.
"""
