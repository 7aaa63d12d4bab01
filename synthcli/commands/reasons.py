"""Why a refresh would fit a challenger: what it starts from, what changed since, and what a person has to see first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthcli.commands.running import Run
from synthcli.config import Config, duration
from synthcli.errors import BadTableError
from synthcli.registry import Version
from synthcli.upkeep import SourceFile, State, changed_keys, reference_file
from synthcli.versions import versions

if TYPE_CHECKING:  # what is heavy to import is met by refreshes that find something to do
    from synthcli.commands.incoming import Incoming
    from synthcli.drift import Drift, Reference


@dataclass(frozen=True)
class Trigger:
    """A possible reason to refit: what was found, the limit that it is held against, and whether it is met."""

    name: str
    met: bool
    value: float | str | None = None
    limit: float | str | None = None
    column: str | None = None
    note: str = ""


@dataclass(frozen=True)
class Case:
    """What a refresh starts from.

    ``files`` are the source's as they are now; ``settings`` is the part of the configuration that decides a refresh,
    ``fit_key`` a fingerprint of the part that decides a fit. ``named`` tells whether there is an alias ``champion``,
    ``champion`` is the version where its manifest can be read, ``intact`` whether its files are in order.
    """

    out: Path
    now: datetime
    state: State
    files: tuple[SourceFile, ...]
    settings: Mapping[str, Any]
    fit_key: str
    named: bool
    champion: Version | None
    intact: bool

    @property
    def stamp(self) -> str:
        """The moment of the refresh, in UTC."""
        return self.now.isoformat(timespec="seconds")


def reference(start: Case, incoming: Incoming) -> tuple[Reference | None, str]:
    """Return the counts of what the champion learned from, or why there are none."""
    from synthcli.commands.provenance import split_mark
    from synthcli.drift import Reference
    from synthcli.holdout import SplitFolder

    if start.champion is None:
        return None, ""
    mark = split_mark(SplitFolder(start.out / "split"))
    if incoming.renewed or start.champion.manifest.train.get("split") != mark:
        return None, "columns that rows are told by have changed, or the split was made anew"
    try:
        return Reference.read(reference_file(start.out, start.champion.number)), ""
    except BadTableError as error:
        return None, error.message


def ask_first(run: Run, found: Sequence[Any], limit: float | None, allowed: bool) -> None:
    """Raise ``BadTableError`` for new rows that look like another table's, unless a person says that they are right."""
    names = {"tvd": "moved by", "missing": "missing cells changed by", "new_categories": "values never seen"}
    told = "; ".join(f"{each.column}: {names[each.effect]} {each.value:.0%}" for each in found[:5])
    more = f"; and {len(found) - 5} more" if len(found) > 5 else ""
    message = f"the new rows look like another table's ({told}{more}; refresh.drift.halt is {limit:g})"
    if not allowed:
        raise BadTableError(
            f"{message}; the champion stays",
            "look for swapped units, other codes or empty columns; name columns that move on by nature, such as "
            "further dates, in refresh.drift.ignore; if the rows are right, add --allow-drift",
        )
    run.log.warn(f"{message}; accepted, as --allow-drift says")


def triggers(
    settings: Config, start: Case, incoming: Incoming, drift: Drift | None, lacking: str, force: bool
) -> list[Trigger]:
    """Return every reason that there could be for a new generator, met or not."""
    from synthcli.commands.incoming import columns_since

    wanted, champion = settings.refresh, start.champion
    if champion is None:
        note = "the one that was is lost" if start.named else "there is none yet"
        return [Trigger("forced", force), Trigger("no_champion", True, note=note)]
    manifest, columns = champion.manifest, columns_since(champion, incoming.schema)
    keys = changed_keys(start.state.settings or {}, start.settings)
    others = changed_keys(manifest.versions, versions())
    found = [
        Trigger("forced", force),
        Trigger(
            "damaged", not start.intact, note="" if start.intact else "its files are not those that were published"
        ),
        Trigger("settings", manifest.train.get("settings") != start.fit_key, note=", ".join(keys[:5])),
        Trigger("versions", bool(others), note=", ".join(others[:5])),
        Trigger("schema", bool(columns), note="; ".join(columns[:5])),
    ]
    age = start.now - datetime.fromisoformat(manifest.created)
    oldest = wanted.max_age
    found.append(
        Trigger("age", oldest is not None and age > duration(oldest), f"{age.total_seconds() / 86400:.1f}d", oldest)
    )
    if drift is None:
        return [*found, Trigger("no_reference", True, note=lacking)]
    share = drift.new_share
    found.append(Trigger("new_rows", wanted.new_rows is not None and share >= wanted.new_rows, share, wanted.new_rows))
    return found + _drift_triggers(drift, settings)


def _drift_triggers(drift: Drift, settings: Config) -> list[Trigger]:
    """Return one for each kind of drift: the column most above its limit, else the one with the largest effect."""
    from synthcli.drift import exceeded

    limits = settings.refresh.drift
    above = exceeded(drift, limits)
    found = []
    for name in ("psi", "tvd", "missing", "new_categories"):
        limit = getattr(limits, name)
        met = [each for each in above if each.effect == name]
        sizes = [(column.whole.effect(name)[0], column.name) for column in drift.columns if not column.ignored]
        value, column = (met[0].value, met[0].column) if met else max(sizes, default=(0.0, None))
        note = ", ".join(str(each.column) for each in met[1:6])
        found.append(Trigger(name, bool(met), value, limit, column, f"also {note}" if note else ""))
    told = drift.told
    met = [each for each in above if each.effect == "c2st"]
    note = "too few new or known rows" if told is None else f"low bound {told.interval.low:.3f}"
    found.append(Trigger("c2st", bool(met), None if told is None else told.auc, limits.c2st, None, note))
    return found
