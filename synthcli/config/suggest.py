"""The nearest right word for a wrong one, for messages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches


def nearest(word: object, options: Iterable[str]) -> str | None:
    """Return the option closest to ``word``, blind to case and to ``-`` against ``_``; ``None`` if none is close.

    >>> nearest("Output-Dir", ["seed", "output_dir"])
    'output_dir'
    """
    plain = {_plain(option): option for option in options}
    found = get_close_matches(_plain(str(word)), plain, n=1, cutoff=0.65)
    return plain[found[0]] if found else None


def suggestion(name: str, names: Sequence[str], those: str = "its columns", most: int = 10) -> str:
    """Return a hint: the name that may be meant, else which ones there are, ``most`` of them at most.

    >>> suggestion("laet", ["city", "late"]), suggestion("x", ["city", "late"])
    ("did you mean 'late'?", 'its columns: city, late')
    """
    near = nearest(name, names)
    listed = ", ".join(names[:most]) + (" …" if len(names) > most else "")
    return f"did you mean {near!r}?" if near is not None else f"{those}: {listed}"


def one_of(word: object, options: Iterable[str]) -> str:
    """Return ``one of a, b, c`` and, where ``word`` is close to one, the question whether that was meant."""
    known = list(options)
    guess = nearest(word, known) if isinstance(word, str) else None
    return f"one of {', '.join(known)}" + (f"; did you mean '{guess}'?" if guess else "")


def _plain(word: str) -> str:
    return word.lower().replace("-", "_")
