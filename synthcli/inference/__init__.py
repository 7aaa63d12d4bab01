"""What the columns of a table are: kinds, storage types and forms, found by looking at every row.

Nothing here reads files: ``tables`` hands over a lazy table and gets a schema back. ``detection`` proposes and proves
the ways in which text may be taken (``candidates``), ``missing`` decides which texts stand for a missing cell,
``kinds`` settles kind and form from facts about all rows, ``fitting`` takes a table as an earlier schema says, and
``overrides`` holds what a person says against all of it.
"""

from synthcli.inference.detection import Inferred, infer_text, infer_typed, typed
from synthcli.inference.fitting import fit_text, fit_typed
from synthcli.inference.overrides import ReadOptions

__all__ = ["Inferred", "ReadOptions", "fit_text", "fit_typed", "infer_text", "infer_typed", "typed"]
