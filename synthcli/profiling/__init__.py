"""What one look at a table suggests, for a person to check: ``init`` writes it down as a configuration.

``guesses`` goes by names, kinds and counts: key, target, time, kinds that are worth stating. ``giveaways`` measures
which single features predict the target. ``table`` puts both together as a ``TableProfile``, which holds names and
figures and no cell of the table, except tokens that usually mean a missing one.
"""

from synthcli.profiling.giveaways import Predictor, Scores
from synthcli.profiling.guesses import Facts, moments
from synthcli.profiling.table import TableProfile, profile

__all__ = ["Facts", "Predictor", "Scores", "TableProfile", "moments", "profile"]
