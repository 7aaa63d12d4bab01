"""Coordinates: a table whose rows keep rules <-> a free table in which every row is allowed.

Any generator keeps the rules of ``data.constraints`` if it learns the free table: a column that lies above others is
its gap above the greatest of them, a multiple is its number of increments, and columns that go together are one
category.

:func:`learn` looks at the training table once; the :class:`Coordinates` it returns is a value that goes to JSON and
back. It does hold combinations, categories and greatest values of the training table: it is personal data, as a model
is. ``scale`` has the arithmetic, ``grids`` the values that a column may take, ``change`` the way back.
"""

from synthcli.synthesizers.coordinates.change import Coordinates
from synthcli.synthesizers.coordinates.learning import learn

__all__ = ["Coordinates", "learn"]
