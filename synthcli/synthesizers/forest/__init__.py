"""The project's own generator: each column drawn by a small forest of trees, given the columns before it.

Sequential trees make synthetic tables that are hard to beat (Reiter 2005; Nowok, Raab & Dibben 2016, synthpop). Here
each column becomes a small alphabet (``cells``); trees are grown on one half of the rows and judged by the other
(``pruning``, ``trees``; honest trees: Wager & Athey 2018, doi:10.1080/01621459.2017.1319839); the chain of forests is
the generator (``chain``), and rows with known cells are drawn from it by weighting (``weighting``).
"""

from synthcli.synthesizers.forest.chain import Forest

__all__ = ["Forest"]
