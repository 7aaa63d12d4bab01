"""A year of refreshes on twelve monthly files: what is promoted, kept, rejected and stopped; what no version saw."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from examples import ROOT

from synthcli.holdout import SplitFolder
from synthcli.rowkeys import row_keys
from synthcli.splitting import Digest, Side, inner_slot, sides

MONTHS = [ROOT / "sample_data" / "flights" / f"2013-{month:02d}.parquet" for month in range(1, 13)]
CONFIG = """\
data:
  path: incoming
  target: late
  exclude_features: [arr_delay, arr_time, air_time, dep_delay, dep_time]
  time: time_hour
  columns: {flight: {type: categorical}}
synthesizer: {kind: forest}
validate: {families: [accuracy, privacy], trivariate: false}
refresh: {seeds: 3, keep: 4}
run: {seed: 7, output_dir: artifacts}
"""


@dataclass
class Year:
    """The folder that the months arrive in, and what each version saw."""

    folder: Path
    call: Callable[..., Any]
    trained: set[int] = field(default_factory=set)
    reserved: set[int] = field(default_factory=set)
    inner: set[int] = field(default_factory=set)

    @property
    def incoming(self) -> Path:
        """Where the source's files lie."""
        return self.folder / "incoming"

    @property
    def out(self) -> Path:
        """The output directory."""
        return self.folder / "artifacts"

    def arrive(self, month: int) -> None:
        """Let a month's file arrive."""
        shutil.copy(MONTHS[month - 1], self.incoming)

    def refresh(self, *words: str) -> Any:
        """Refresh as cron would; remember what a new version learned from."""
        ended = self.call("refresh", "-c", self.folder / "year.yaml", "--json", *words)
        if ended.code in (0, 1):
            self._note(ended.document["result"])
        return ended

    def aliases(self) -> dict[str, int]:
        """Return what the aliases name."""
        return json.loads((self.out / "generators" / "aliases.json").read_text())

    def _note(self, result: dict[str, Any]) -> None:
        folder = SplitFolder(self.out / "split")
        rule = folder.read().rule
        everything = pl.concat([pl.read_parquet(path) for path in sorted(self.incoming.glob("*.parquet"))])
        digest = Digest.of(everything, rule)
        where, slot = sides(digest, rule), inner_slot(digest, rule, 0.1)
        keys = row_keys(everything, rule.columns)
        self.reserved |= set(keys[where == Side.HOLDOUT].tolist())
        if result["version"] is not None:  # a generator was fitted
            learned = keys[(where == Side.TRAIN) & ~slot]
            assert result["source"]["fit_rows"] == len(learned)
            self.trained |= set(learned.tolist())
            self.inner |= set(keys[(where == Side.TRAIN) & slot].tolist())


@pytest.fixture
def year(tmp_path: Path, call: Callable[..., Any]) -> Year:
    """Return an empty year."""
    (tmp_path / "incoming").mkdir()
    (tmp_path / "year.yaml").write_text(CONFIG)
    return Year(tmp_path, call)


@pytest.mark.slow
def test_a_year_of_refreshes(year: Year) -> None:
    outcomes = {}

    # January alone is too little: 1,100 rows do not teach the pairs of 2,000 aircraft. From February on it is enough.
    for month in (1, 2, 3):
        year.arrive(month)
        ended = year.refresh()
        outcomes[month] = ended.document["result"]["outcome"]
    assert outcomes == {1: "rejected", 2: "promoted", 3: "promoted"}
    assert year.aliases() == {"champion": 3, "previous": 2}

    # Nothing new: nothing is done.
    before = (year.out / "generators" / "events.jsonl").read_bytes()
    ended = year.refresh()
    assert (ended.code, ended.document["status"]) == (0, "skipped")
    assert (year.out / "generators" / "events.jsonl").read_bytes() == before

    # April comes in two parts: the first has too little new to call for a challenger.
    april = pl.read_parquet(MONTHS[3])
    april.head(150).write_parquet(year.incoming / "2013-04.parquet")
    ended = year.refresh()
    assert ended.document["result"]["outcome"] == "kept"
    assert ended.document["result"]["source"]["new_share"] == pytest.approx(150 / 4650, abs=0.01)
    april.write_parquet(year.incoming / "2013-04.parquet")
    assert year.refresh().document["result"]["outcome"] == "promoted"

    # May with its flying times in seconds is stopped, and taken once it is right.
    may = pl.read_parquet(MONTHS[4])
    may.with_columns(pl.col("air_time") * 60).write_parquet(year.incoming / "2013-05.parquet")
    ended = year.refresh()
    assert (ended.code, ended.document["error"]["kind"]) == (3, "bad_table")
    assert "air_time" in ended.document["error"]["message"]
    assert year.aliases()["champion"] == 4
    year.arrive(5)
    assert year.refresh().document["result"]["outcome"] == "promoted"

    # June is our own output under another name, without its record; then June itself.
    config = year.folder / "year.yaml"
    assert year.call("sample", "-c", config, "-n", "1500", "-q").code == 0
    shutil.copy(year.out / "synthetic" / "synthetic.parquet", year.incoming / "2013-06.parquet")
    ended = year.refresh()
    assert (ended.code, ended.document["error"]["kind"]) == (3, "synthetic_input")
    pl.read_parquet(year.out / "synthetic" / "synthetic.parquet").write_parquet(year.incoming / "2013-06.parquet")
    ended = year.refresh()
    assert (ended.code, ended.document["error"]["kind"]) == (3, "contaminated")
    assert year.aliases()["champion"] == 5
    year.arrive(6)
    assert year.refresh().document["result"]["outcome"] == "promoted"

    # A challenger of another kind, which knows no dependence, is turned away; the holdout is not looked at for it.
    looks = _looks(year)
    ended = year.refresh("--set", "synthesizer={kind: independent}")
    assert (ended.code, ended.document["result"]["outcome"]) == (1, "rejected")
    assert "worse than champion" in ended.document["result"]["why"]
    assert _looks(year) == looks
    assert year.aliases()["champion"] == 6

    # The rest of the year. In November less than a tenth of the rows are new, and nothing drifts by its limit.
    for month in range(7, 13):
        year.arrive(month)
        outcomes[month] = year.refresh().document["result"]["outcome"]
    assert [outcomes[month] for month in range(7, 13)] == ["promoted"] * 4 + ["kept", "promoted"]

    # No version ever learned from a row that is reserved, then or later, or from one that generators are compared on.
    assert len(year.trained) > 12_000
    assert not year.trained & year.reserved
    assert not year.trained & year.inner
    assert len(year.inner) == pytest.approx(0.1 * (len(year.trained) + len(year.inner)), rel=0.1)

    # What stands at the end: four versions, champion and previous among them, and every look counted.
    events = [json.loads(line) for line in (year.out / "generators" / "events.jsonl").read_text().splitlines()]
    names = [event["event"] for event in events]
    assert (names.count("promoted"), names.count("rejected"), names.count("kept")) == (10, 2, 2)
    assert names.count("stopped") == 3
    assert [event["look"] for event in events if event["event"] == "look"] == list(range(1, 12))
    assert len(list((year.out / "generators").glob("[0-9]*"))) == 4
    ended = year.call("history", "-c", config, "--json")
    assert [run["event"] for run in ended.document["result"]["runs"]].count("promoted") == 10


def _looks(year: Year) -> int:
    return (year.out / "generators" / "events.jsonl").read_text().count('"event": "look"')
