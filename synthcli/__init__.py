"""Make synthetic tables out of real ones, and prove on a reserved holdout whether they may be released."""

__version__ = "0.1.0"
