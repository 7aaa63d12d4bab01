"""Reading a pickled model: nothing is made or called but what SDV's models are made of.

A pickle is a program that names callables and calls them. Here it may name the classes of SDV's own libraries, of
torch's layers and of pandas' tables, and the few functions that put arrays together; whatever else it names is refused
before it is imported. That keeps out the pickles that run commands. It is no sandbox: what the allowed classes do with
made-up contents nobody has proved.
"""

from __future__ import annotations

import pickle
from contextlib import suppress
from pathlib import Path
from typing import Any

from synthcli.errors import BadTableError

#: Where the classes come from; of functions, none.
_PACKAGES = (
    "copulas.",
    "ctgan.",
    "rdt.",
    "sdv.data_processing.",
    "sdv.metadata.",
    "sdv.single_table.",
    "pandas.core.arrays.",
    "pandas.core.dtypes.",
    "pandas.core.frame",
    "pandas.core.indexes.",
    "pandas.core.internals.",
    "pandas.core.series",
    "torch.nn.modules.",
)
#: What else a model is made of.
_NAMES = {
    "builtins": {"bool", "complex", "float", "int", "object", "set", "slice", "str"},
    "collections": {"OrderedDict"},
    "types": {"SimpleNamespace"},
    "numpy": {"bool", "bool_", "dtype", "float32", "float64", "int32", "int64", "ndarray", "object_"},
    "numpy._core.multiarray": {"_reconstruct", "scalar"},
    "numpy._core.numeric": {"_frombuffer"},
    "numpy.core.multiarray": {"_reconstruct", "scalar"},
    "numpy.core.numeric": {"_frombuffer"},
    "pandas._libs.arrays": {"__pyx_unpickle_NDArrayBacked"},
    "pandas._libs.internals": {"_unpickle_block"},
    "torch": {"device"},
    "torch._C": {"_VariableFunctionsClass"},
    "torch._utils": {"_rebuild_parameter"},
}
_FUNCTIONS = {("pandas.core.indexes.base", "_new_Index"), ("pandas.core.indexes.range", "_new_Index")}


def read_pickle(path: Path) -> Any:
    """Return the object in the file; raises ``BadTableError`` where it names what no model is made of."""
    with path.open("rb") as file:
        return _Reader(file, path).load()


class _Reader(pickle.Unpickler):
    """Knows the names that are allowed; everything else about a pickle is Python's own."""

    def __init__(self, file: Any, path: Path) -> None:
        super().__init__(file)
        self._path = path

    def find_class(self, module: str, name: str) -> Any:
        """Return what the pickle names."""
        if (module, name) == ("builtins", "getattr"):  # how a pickle names torch.tensor
            return _tensor
        if name in _NAMES.get(module, ()) or (module, name) in _FUNCTIONS:
            return super().find_class(module, name)
        found = None
        if "." not in name and f"{module}.".startswith(_PACKAGES):
            with suppress(ImportError, AttributeError):
                found = super().find_class(module, name)
            if isinstance(found, type) and f"{found.__module__}.".startswith(_PACKAGES):
                return found
        raise BadTableError(
            f"{self._path}: it was not opened to its end, since it names {f'{module}.{name}'!r}, which is no part of a "
            "model of SDV's",
            "do not use this generator: whoever made it may want to run a program of theirs",
        )


def _tensor(owner: Any, name: str) -> Any:
    """Stand in for ``getattr`` in a pickle: of torch's functions, a model needs the one that makes a tensor."""
    if getattr(owner, "__name__", "") != "_VariableFunctionsClass" or name != "tensor":
        raise pickle.UnpicklingError("no attribute may be looked up")
    return owner.tensor
