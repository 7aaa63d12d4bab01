"""What a refresh leaves for the next one and for people: its decision as plain data, the event, the state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from synthcli import upkeep
from synthcli.commands.reasons import Case, Trigger
from synthcli.errors import SynthcliError
from synthcli.registry import aliases, record
from synthcli.upkeep import State, changed_files
from synthcli.versions import versions

if TYPE_CHECKING:  # what is heavy to import is met by refreshes that find something to do
    from synthcli.commands.incoming import Incoming
    from synthcli.drift import Drift


@contextmanager
def failures_recorded(out: Path) -> Iterator[None]:
    """Record a refresh that bad input or a failure ended, as far as the disk allows, and let the error go on."""
    stamp = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        yield
    except Exception as error:
        known = error if isinstance(error, SynthcliError) else None
        if known is not None and known.exit_code == 2:
            raise  # the command line or its configuration: nothing was begun
        outcome: upkeep.Outcome = "stopped" if known is not None and known.exit_code == 3 else "failed"
        kind, why = (known.kind, known.message) if known is not None else ("engine", type(error).__name__)
        with suppress(OSError):
            record(out, {"time": stamp, "event": outcome, "kind": kind, "why": why})
            upkeep.write(out, upkeep.read(out).ended(outcome, why, stamp))
        raise


def decided(start: Case, incoming: Incoming, document: Mapping[str, Any]) -> None:
    """Remember the data, so that the next refresh need not decide about them again."""
    outcome, why = document["outcome"], document["why"]
    state = start.state.dealt_with(start.files, start.settings, versions(), incoming.newest, outcome, why, start.stamp)
    remember(start, state)


def remember(start: Case, state: State) -> None:
    """Write what the next refresh starts from."""
    upkeep.write(start.out, state)


def event(start: Case, name: str, document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the line of ``events.jsonl``: when, why, with the figures that ``history`` shows."""
    source, contest, drift = document["source"], document["contest"], document["drift"]
    gates = document["gates"] or {}
    columns = [column for column in drift["columns"] if not column["ignored"]] if drift else []
    return {
        "time": start.stamp,
        "event": name,
        "version": document["version"],
        "champion": document["champion"],
        "previous": document["previous"],
        "why": document["why"],
        "triggers": [trigger["name"] for trigger in document["triggers"] if trigger["met"]],
        "files": source["files"],
        "rows": source["rows"],
        "new_rows": source["new_rows"],
        "new_share": source["new_share"],
        "newest": source["newest"],
        "psi": max((column["whole"]["psi"] for column in columns), default=None),
        "score": contest["challenger"]["score"] if contest else None,
        "champion_score": contest["champion"]["score"] if contest else None,
        "margin": contest["margin"] if contest else None,
        "failed": gates.get("failed", []),
        "figures": gates.get("figures", {}),
    }


def decision(
    start: Case, incoming: Incoming | None, triggers: Sequence[Trigger], drift: Drift | None
) -> dict[str, Any]:
    """Return the decision as plain data, as far as it is known before a challenger is fitted."""
    named = aliases(start.out)
    source = None
    if incoming is not None:
        source = {
            "files": len(start.files),
            "changes": changed_files(start.state.files, start.files),
            "schema_changes": list(incoming.schema_changes),
            "rows": incoming.rows,
            "train_rows": incoming.fitted.height + incoming.inner.height,
            "fit_rows": incoming.fitted.height,
            "inner_rows": incoming.inner.height,
            "holdout_rows": incoming.holdout.height,
            "new_rows": None if drift is None else drift.new_rows,
            "new_share": None if drift is None else drift.new_share,
            "newest": incoming.newest,
        }
    return {
        "outcome": "",
        "why": "",
        "at": start.stamp,
        "version": None,
        "kind": None,
        "champion": named.get("champion"),
        "previous": named.get("previous"),
        "source": source,
        "triggers": [asdict(trigger) for trigger in triggers],
        "drift": None if drift is None else _drift(drift),
        "contest": None,
        "no_contest": "",
        "gates": None,
        "pruned": [],
        "report": None,
        "sampled": None,
        "hooks": [],
    }


def _drift(drift: Drift) -> dict[str, Any]:
    told = drift.told
    columns = [
        {
            **column._asdict(),
            "whole": column.whole._asdict(),
            "new": None if column.new is None else column.new._asdict(),
        }
        for column in drift.columns
    ]
    return {
        "rows": drift.rows,
        "reference_rows": drift.reference_rows,
        "new_rows": drift.new_rows,
        "new_share": drift.new_share,
        "c2st": None if told is None else {"auc": told.auc, **told.interval._asdict(), "rows": told.rows},
        "columns": columns,
    }
