"""``refresh``: when a generator is fitted anew, when it is promoted, and what a refresh never does."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from growing import NO_CONTEST, Place, held, month, started, tree

from synthcli.holdout import SplitFolder
from synthcli.rowkeys import row_keys, table_key
from synthcli.splitting import Digest, inner_slot

#: A gate that nothing passes.
IMPOSSIBLE = "validate.gates_add=[{metric: accuracy.bivariate, min: 1.5}]"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """A place where a first refresh promoted version 1, and nothing will be compared for want of rows."""
    return started(tmp_path_factory.mktemp("finished")).refreshed()


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """The same with an inner slot that is large enough to compare on."""
    place = started(tmp_path_factory.mktemp("compared"), inner=0.1)
    place.configure("target: late, ", "")  # a score without a model's is made sooner
    return place.refreshed()


@pytest.fixture
def place(finished: Place, tmp_path: Path) -> Place:
    return finished.copy(tmp_path)


@pytest.fixture
def refresh(call) -> Callable[..., Any]:
    """Return a function that refreshes a place; its end has a JSON document."""

    def called(place: Place, *words: object) -> Any:
        return call("refresh", "-c", place.config, "--json", *words)

    return called


def met(ended: Any) -> list[str]:
    """Return the names of the reasons that called for a new generator."""
    return [trigger["name"] for trigger in ended.document["result"]["triggers"] if trigger["met"]]


def champion_stays(place: Place, before: dict[str, str]) -> bool:
    """Whether generators are, byte for byte, as they were, but for the log of events; nothing half-made is left."""
    return tree(place.generators, "events.jsonl") == before


def generators(place: Place) -> dict[str, str]:
    return tree(place.generators, "events.jsonl")


# the first one


def test_the_first_refresh_splits_fits_and_promotes(call, tmp_path: Path) -> None:
    place = started(tmp_path / "first")
    ended = call("refresh", "-c", place.config, "--json")
    result = ended.document["result"]
    assert ended.code == 0
    assert (ended.document["status"], result["outcome"], result["version"]) == ("ok", "promoted", 1)
    assert (result["champion"], result["previous"]) == (1, None)
    assert met(ended) == ["no_champion"]
    assert result["contest"] is None
    assert result["no_contest"] == "there is no champion"
    assert place.aliases() == {"champion": 1}, "latest is what `fit` made"
    source = result["source"]
    assert (source["files"], source["rows"], source["newest"]) == (3, 1500, "2025-03-28")
    assert source["changes"]["new"] == ["2025-01.csv", "2025-02.csv", "2025-03.csv"]
    assert source["train_rows"] + source["holdout_rows"] == 1500
    assert set(ended.document["artifacts"]) == {"report", "html", "generator", "decision"}
    assert all((Path.cwd() / path).exists() for path in ended.document["artifacts"].values())
    decision = json.loads((place.out / "refresh" / "0001" / "decision.json").read_text())
    assert decision == {"schema_version": 1, **result}
    assert [event["event"] for event in place.events()] == ["look", "promoted"]
    state = place.state()
    assert (state["outcome"], state["checked_outcome"]) == ("promoted", "promoted")
    assert state["at"] == state["checked"] == state["healthy"] == result["at"]


def test_what_drift_is_measured_by_is_for_the_owner_alone(finished: Place) -> None:
    path = finished.out / "refresh" / "references" / "0001.npz"
    assert path.stat().st_mode & 0o777 == 0o600
    assert not list((finished.generators / "0001").rglob("*.npz"))


def test_sample_takes_the_champion_whatever_was_fitted_since(call, place: Place) -> None:
    fitted = call("fit", "-c", place.config, "--seed", 4, "--json")
    assert place.aliases() == {"champion": 1, "latest": 2}
    assert any("champion is version 0001" in warning for warning in fitted.document["warnings"])
    assert call("sample", "-c", place.config, "-n", 50, "--json").document["result"]["version"] == 1


# nothing new


def test_with_nothing_new_a_refresh_is_skipped_and_notes_that_it_looked(refresh, place: Place) -> None:
    place.state(checked="2020-01-01T00:00:00+00:00", healthy="2020-01-01T00:00:00+00:00")
    before, remembered = tree(place.out, "refresh/state.json"), place.state()
    ended = refresh(place)
    assert ended.code == 0
    assert (ended.document["status"], ended.document["result"]["outcome"]) == ("skipped", "unchanged")
    assert tree(place.out, "refresh/state.json") == before
    after = place.state()
    assert after["checked"] == after["healthy"] == ended.document["result"]["at"] > "2025"
    moved = {"checked", "checked_outcome", "checked_why", "healthy"}
    assert [file["sha256"] for file in after.pop("files")] == [file["sha256"] for file in remembered["files"]]
    assert {name for name in after if after[name] != remembered[name]} == moved
    assert after["checked_outcome"] == "unchanged"


def test_force_fits_again_where_nothing_calls_for_it(refresh, place: Place) -> None:
    ended = refresh(place, "--force")
    assert ended.code == 0
    assert met(ended) == ["forced"]
    assert place.aliases() == {"champion": 2, "previous": 1}


def test_a_renamed_file_is_nothing_new(refresh, place: Place) -> None:
    place.part(3).rename(place.part(3).with_name("march.csv"))
    ended = refresh(place)
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "unchanged")


def test_a_lost_state_makes_a_refresh_look_and_fit_nothing(refresh, place: Place) -> None:
    (place.out / "refresh" / "state.json").write_text("damaged")
    ended = refresh(place)
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "kept")
    assert refresh(place).document["result"]["outcome"] == "unchanged"


def test_a_few_new_rows_of_the_same_law_are_no_reason(refresh, place: Place) -> None:
    place.add(4, rows=40)
    before = generators(place)
    ended = refresh(place)
    result = ended.document["result"]
    assert (ended.code, ended.document["status"], result["outcome"]) == (0, "skipped", "kept")
    assert met(ended) == []
    assert result["source"]["changes"] == {"new": ["2025-04.csv"], "changed": [], "gone": []}
    assert 0 < result["source"]["new_share"] < 0.1
    assert champion_stays(place, before)
    assert (place.events()[-1]["event"], place.events()[-1]["rows"]) == ("kept", 1540)
    assert place.state()["newest"] == str(month(4, 40)["day"].max())
    assert refresh(place).document["result"]["outcome"] == "unchanged", "what was dealt with is not dealt with again"


# reasons


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (["--seed", "5"], "seed"),
        (["--set", "synthesizer.kind=bootstrap"], "synthesizer.kind"),
        (["--set", "protection.clip_extremes=0"], "protection.clip_extremes"),
        (["--set", "data.target=city"], "data.target"),
    ],
)
def test_a_setting_that_decides_a_fit_is_a_reason(refresh, place: Place, change: list[str], named: str) -> None:
    ended = refresh(place, "--dry-run", *change)
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "planned")
    assert met(ended) == ["settings"]
    note = next(each["note"] for each in ended.document["result"]["triggers"] if each["name"] == "settings")
    assert named in note.split(", ")


@pytest.mark.slow
def test_a_setting_that_decides_no_fit_is_no_reason(refresh, place: Place) -> None:
    for change in ("validate.fail_on=warning", "refresh.margin=0.1", "refresh.drift.psi=0.3", "sample.rows=9"):
        assert refresh(place, "--dry-run", "--set", change).document["result"]["outcome"] == "kept"
    for change in ("refresh.keep=3", "refresh.sample=true", "refresh.after_promotion=['true']"):
        assert refresh(place, "--dry-run", "--set", change).document["result"]["outcome"] == "unchanged"


@pytest.mark.slow
def test_another_seed_makes_another_champion(refresh, place: Place) -> None:
    ended = refresh(place, "--seed", "5")
    assert (ended.code, place.aliases()["champion"]) == (0, 2)
    assert (place.manifest(1)["seed"], place.manifest(2)["seed"]) == (0, 5)
    assert refresh(place, "--seed", "5").document["result"]["outcome"] == "unchanged"


def test_another_version_of_a_library_is_a_reason(refresh, place: Place) -> None:
    path = place.generators / "0001" / "manifest.json"
    manifest = place.manifest(1)
    old = {**manifest["versions"], "polars": "0.1"}
    path.write_text(json.dumps({**manifest, "versions": old}))
    place.state(versions=old)
    ended = refresh(place, "--dry-run")
    assert met(ended) == ["versions"]
    assert any(each["note"] == "polars" for each in ended.document["result"]["triggers"])


def test_an_old_champion_is_a_reason_only_where_an_age_is_set(refresh, place: Place) -> None:
    path = place.generators / "0001" / "manifest.json"
    path.write_text(json.dumps({**place.manifest(1), "created": "2020-01-01T00:00:00+00:00"}))
    place.add(4, rows=40)
    assert met(refresh(place, "--dry-run")) == []
    assert met(refresh(place, "--dry-run", "--set", "refresh.max_age=7d")) == ["age"]
    assert met(refresh(place, "--dry-run", "--set", "refresh.max_age=99999d")) == []


@pytest.mark.slow
def test_many_new_rows_make_a_challenger_that_is_compared_and_promoted(
    refresh, compared: Place, tmp_path: Path
) -> None:
    place = compared.copy(tmp_path)
    place.add(4)
    ended = refresh(place)
    result = ended.document["result"]
    assert (ended.code, result["outcome"]) == (0, "promoted")
    assert met(ended) == ["new_rows"]
    assert 0.2 < result["source"]["new_share"] < 0.3
    assert place.aliases() == {"champion": 2, "previous": 1}
    contest = result["contest"]
    assert contest["holds"] is True
    assert (contest["champion"]["version"], contest["challenger"]["version"]) == (1, 2)
    assert contest["rows"] == result["source"]["inner_rows"] >= 50
    assert len(contest["seeds"]) == len(contest["champion"]["scores"]) == len(contest["challenger"]["scores"]) == 2
    numbers = list(numbers_in(contest))
    assert len(numbers) > 15
    assert all(isfinite(number) for number in numbers)
    event = place.events()[-1]
    assert (event["event"], event["version"], event["previous"]) == ("promoted", 2, 1)
    assert (event["score"], event["champion_score"]) == (contest["challenger"]["score"], contest["champion"]["score"])


def numbers_in(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from numbers_in(each)
    elif isinstance(value, (int, float)):
        yield value


@pytest.mark.slow
def test_a_challenger_that_is_worse_is_turned_away_without_a_look_at_the_holdout(
    refresh, compared: Place, tmp_path: Path
) -> None:
    """A champion that copies its rows is hard to beat by columns drawn one by one."""
    place = compared.copy(tmp_path)
    assert refresh(place, "--set", "synthesizer.kind=bootstrap", "--set", "refresh.margin=1").code == 0
    before = generators(place)
    ended = refresh(place, "--set", "refresh.margin=0.05")
    result = ended.document["result"]
    assert (ended.code, ended.document["status"], result["outcome"]) == (1, "failed", "rejected")
    assert result["contest"]["holds"] is False
    assert result["contest"]["difference"] < -0.05
    assert result["gates"] is None
    assert "worse than champion 0002" in result["why"]
    assert champion_stays(place, before)
    assert [event["version"] for event in place.events() if event["event"] == "look"] == [1, 2]
    written = {path.name for path in (place.out / "refresh" / "0003").iterdir()}
    assert written == {"decision.json", "run.json"}


# dry runs and words


def test_a_dry_run_of_the_first_refresh_makes_no_folder(refresh, tmp_path: Path) -> None:
    place = started(tmp_path / "first")
    before = tree(place.folder)
    ended = refresh(place, "--dry-run")
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "planned")
    assert ended.document["artifacts"] == {}
    assert tree(place.folder) == before


@pytest.mark.parametrize("words", [[], ["--force"], ["--seed", "5"]])
@pytest.mark.parametrize("rows", [0, 40, 500])
def test_a_dry_run_writes_nothing(refresh, place: Place, words: list[str], rows: int) -> None:
    (place.out / ".lock").unlink()
    if rows:
        place.add(4, rows)
    before = tree(place.folder)
    ended = refresh(place, "--dry-run", *words)
    assert ended.code == 0
    assert ended.document["result"]["outcome"] == (
        "planned" if words or rows == 500 else "kept" if rows else "unchanged"
    )
    assert tree(place.folder) == before


def test_a_dry_run_of_what_has_to_stop_stops_and_writes_nothing(refresh, place: Place) -> None:
    place.write(4, month(4).with_columns(size=pl.col("size") * 1000))
    before = tree(place.folder)
    assert refresh(place, "--dry-run").code == 3
    assert tree(place.folder) == before


@pytest.mark.slow
def test_explained_every_reason_and_the_drift_of_each_column_is_shown(call, place: Place) -> None:
    place.add(4)
    words = ["refresh", "-c", place.config, "--dry-run"]
    brief, explained = call(*words), call(*words, "--explain")
    assert brief.code == explained.code == 0
    assert brief.out.startswith("planned: would refit; champion 0001 stays until then")
    for told in ("what calls for a refit", "new rows", "PSI", "age of the champion", "size (numeric)", "day (datetime"):
        assert told in explained.out
    assert "what calls for a refit" not in brief.out


def test_quiet_success_says_nothing_and_quiet_failure_one_line(call, place: Place) -> None:
    well = call("refresh", "-c", place.config, "-q")
    assert (well.code, well.out, well.err) == (0, "", "")
    ill = call("refresh", "-c", place.config, "-q", "--force", "--set", IMPOSSIBLE)
    assert (ill.code, ill.out) == (1, "")
    assert len(ill.err.splitlines()) == 1
    assert "rejected: gates failed on the holdout: accuracy.bivariate" in ill.err


# columns that changed


def with_columns(place: Place, change: Callable[[pl.DataFrame], pl.DataFrame]) -> None:
    """Write every part with other columns."""
    for number in (1, 2, 3):
        place.write(number, change(month(number)))


def gone(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.drop("weight")


def text(rows: pl.DataFrame) -> pl.DataFrame:
    """One cell of a column of numbers is text."""
    first = pl.int_range(rows.height) == 0
    return rows.with_columns(weight=pl.when(first).then(pl.lit("heavy")).otherwise(pl.col("weight").cast(str)))


def new(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(extra=pl.int_range(rows.height) % 7)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (gone, "1 of the 5 expected columns missing: 'weight'"),
        (text, "column 'weight': the value is no numeric value"),
        (new, "column 'extra' is new"),
    ],
)
def test_other_columns_stop_a_refresh(refresh, place: Place, change: Any, told: str) -> None:
    with_columns(place, change)
    before, remembered = tree(place.out, "refresh/state.json", "generators/events.jsonl"), place.state()
    ended = refresh(place)
    assert ended.code == 3
    error = ended.document["error"]
    assert error["kind"] == "bad_table"
    assert told in error["message"]
    assert error["message"].endswith("; the champion stays")
    assert "--allow-schema-change" in error["hint"]
    assert tree(place.out, "refresh/state.json", "generators/events.jsonl") == before
    event = place.events()[-1]
    assert (event["event"], event["kind"], event["why"]) == ("stopped", "bad_table", error["message"])
    assert place.state()["checked_outcome"] == "stopped"
    assert place.state()["healthy"] == remembered["healthy"]
    assert refresh(place).code == 3, "what stopped a refresh stops the next one"


@pytest.mark.slow
def test_a_new_column_is_learned_where_a_person_accepts_it(refresh, place: Place) -> None:
    with_columns(place, new)
    ended = refresh(place, "--allow-schema-change")
    assert ended.code == 0
    assert "schema" in met(ended)
    assert ended.document["warnings"] == ["column 'extra' is new; accepted, as --allow-schema-change says"]
    assert ended.document["result"]["no_contest"] == "the columns are others than the champion's"
    schema = json.loads((place.generators / "0002" / "schema.json").read_text())
    assert "extra" in json.dumps(schema)
    assert refresh(place).document["result"]["outcome"] == "unchanged"


def test_columns_in_another_order_are_the_same_columns(refresh, place: Place) -> None:
    with_columns(place, lambda rows: rows.select(reversed(rows.columns)))
    ended = refresh(place)
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "kept")
    assert ended.document["result"]["source"]["new_rows"] == 0


def test_accepting_other_columns_accepts_no_drift_and_no_synthetic_rows(call, refresh, place: Place) -> None:
    place.write(4, month(4).with_columns(size=pl.col("size") * 1000))
    assert refresh(place, "--allow-schema-change", "--force").code == 3
    call("sample", "-c", place.config, "-n", 500, "--output", place.folder / "drawn.csv", "-q")
    shutil.move(place.folder / "drawn.csv", place.part(4))
    ended = refresh(place, "--allow-schema-change", "--allow-drift", "--force")
    assert (ended.code, ended.document["error"]["kind"]) == (3, "contaminated")


# rows that a person has to look at


def swapped(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(size=(pl.col("size") * 1000).round(0))


def empty(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(weight=pl.lit(None, dtype=pl.Float64))


def recoded(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.with_columns(city=pl.col("city").str.slice(0, 1))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (swapped, "size: "),
        (empty, "weight: missing cells changed by 100%"),
        (recoded, "city: values never seen 100%"),
    ],
)
def test_new_rows_that_look_like_another_table_stop_a_refresh(refresh, place: Place, change: Any, told: str) -> None:
    place.write(4, change(month(4)))
    before = generators(place)
    ended = refresh(place, "--force")
    error = ended.document["error"]
    assert (ended.code, error["kind"]) == (3, "bad_table")
    assert told in error["message"]
    assert "--allow-drift" in error["hint"]
    assert champion_stays(place, before)
    assert place.events()[-1]["event"] == "stopped"
    allowed = refresh(place, "--allow-drift", "--dry-run")
    assert (allowed.code, allowed.document["result"]["outcome"]) == (0, "planned")
    assert any(told in warning and "--allow-drift" in warning for warning in allowed.document["warnings"])


@pytest.mark.slow
def test_swapped_units_are_learned_where_a_person_accepts_them(refresh, place: Place) -> None:
    place.write(4, swapped(month(4)))
    ended = refresh(place, "--allow-drift")
    assert (ended.code, place.aliases()["champion"]) == (0, 2)
    assert {"new_rows", "new_categories", "c2st"} <= set(met(ended))


def test_a_part_on_record_as_synthetic_stops_a_refresh(call, refresh, place: Place) -> None:
    call("sample", "-c", place.config, "-n", 300, "--output", place.folder / "drawn.csv", "-q")
    for name in ("drawn.csv", "drawn.csv.lineage.json"):
        shutil.copy(place.folder / name, place.folder / "parts" / name)
    before = generators(place)
    ended = refresh(place)
    assert (ended.code, ended.document["error"]["kind"]) == (3, "synthetic_input")
    assert champion_stays(place, before)
    assert (place.events()[-1]["event"], place.events()[-1]["kind"]) == ("stopped", "synthetic_input")


@pytest.mark.parametrize("real", [0, 300])
def test_our_own_rows_are_recognised_without_their_record(call, refresh, place: Place, real: int) -> None:
    drawn = place.folder / "drawn.csv"
    call("sample", "-c", place.config, "-n", 200, "--output", drawn, "-q")
    rows = pl.read_csv(drawn, try_parse_dates=True)
    place.write(4, pl.concat([rows.with_columns(late=pl.col("late").cast(pl.Boolean)), month(4, real)]))
    before = generators(place)
    ended = refresh(place, "--force")
    assert (ended.code, ended.document["error"]["kind"]) == (3, "contaminated")
    assert champion_stays(place, before)
    assert (place.events()[-1]["event"], place.events()[-1]["kind"]) == ("stopped", "contaminated")


# a challenger that is turned away


def test_a_generator_that_copies_is_turned_away_by_privacy_alone(refresh, place: Place) -> None:
    copies = ["--set", "synthesizer.kind=bootstrap", "--set", "validate.gates=null"]
    copies += ["--set", "validate.families=[accuracy, validity, privacy]"]
    before = generators(place)
    ended = refresh(place, *copies)
    result = ended.document["result"]
    assert (ended.code, ended.document["status"], result["outcome"]) == (1, "failed", "rejected")
    assert "privacy.known_record_share" in result["gates"]["failed"]
    assert all(name.startswith("privacy.") for name in (*result["gates"]["failed"], *result["gates"]["figures"]))
    assert champion_stays(place, before), "no folder of the challenger is left, no alias has moved"
    assert (result["version"], result["champion"]) == (2, 1)
    report = json.loads((place.out / "refresh" / "0002" / "report.json").read_text())
    assert report["verdict"] == "fail"
    assert {metric["family"] for metric in report["metrics"]} == {"privacy"}
    assert (place.out / "refresh" / "0002" / "report.html").is_file()
    assert not (place.out / "refresh" / "references" / "0002.npz").exists()
    assert [event["event"] for event in place.events()][-2:] == ["look", "rejected"]
    again = refresh(place, *copies)
    assert (again.code, again.document["result"]["outcome"]) == (0, "unchanged")


@pytest.mark.slow
def test_a_gate_that_fails_turns_a_challenger_away_and_its_number_is_gone(refresh, place: Place) -> None:
    before = generators(place)
    ended = refresh(place, "--force", "--set", IMPOSSIBLE)
    assert (ended.code, ended.document["result"]["outcome"]) == (1, "rejected")
    assert ended.document["result"]["gates"]["failed"] == ["accuracy.bivariate"]
    assert champion_stays(place, before)
    event = place.events()[-1]
    assert (event["event"], event["version"], event["failed"]) == ("rejected", 2, ["accuracy.bivariate"])
    ended = refresh(place, "--force")
    assert (ended.code, ended.document["result"]["version"]) == (0, 3)
    assert place.aliases() == {"champion": 3, "previous": 1}
    assert not (place.generators / "0002").exists()
    assert [event["look"] for event in place.events() if event["event"] == "look"] == [1, 2, 3]


@pytest.mark.slow
def test_where_the_first_challenger_is_turned_away_there_is_no_champion(refresh, tmp_path: Path) -> None:
    place = started(tmp_path / "first")
    assert refresh(place, "--set", IMPOSSIBLE).code == 1
    assert not (place.generators / "aliases.json").exists()
    again = refresh(place, "--set", IMPOSSIBLE)
    assert (again.code, again.document["result"]["outcome"]) == (0, "unchanged")
    assert refresh(place).document["result"]["version"] == 2
    assert place.aliases() == {"champion": 2}


# what goes wrong


@pytest.mark.slow
def test_an_engine_that_crashes_leaves_the_champion_and_is_tried_again(
    refresh, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthcli.commands import succession

    def crash(*_: object) -> None:
        raise RuntimeError("a secret cell")

    place.add(4)
    before = generators(place)
    with monkeypatch.context() as broken:
        broken.setattr(succession, "make", crash)
        ended = refresh(place)
    assert ended.code == 4
    assert "secret" not in ended.out + ended.err
    assert champion_stays(place, before)
    event = place.events()[-1]
    assert (event["event"], event["why"]) == ("failed", "RuntimeError")
    assert place.state()["checked_outcome"] == "failed"
    assert refresh(place).document["result"]["outcome"] == "promoted"


@pytest.mark.slow
def test_a_challenger_that_another_process_loads_differently_is_not_promoted(
    refresh, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthcli.synthesizers.assembly import TableGenerator

    sample = TableGenerator.sample
    monkeypatch.setattr(TableGenerator, "sample", lambda model, rows, seed: sample(model, rows, seed + 1))
    before = generators(place)
    ended = refresh(place, "--force")
    assert ended.code == 4
    assert "other rows when it is loaded in another process" in ended.document["error"]["message"]
    assert champion_stays(place, before)


@pytest.mark.slow
def test_a_run_that_ends_before_the_aliases_are_written_leaves_the_old_champion(
    refresh, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from synthcli import registry

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", "aliases.json")

    with monkeypatch.context() as broken:
        broken.setattr(registry, "set_aliases", full)
        assert refresh(place, "--force").code == 4
    assert place.aliases() == {"champion": 1}
    assert refresh(place, "--force").document["result"]["version"] == 3
    assert place.aliases() == {"champion": 3, "previous": 1}


@pytest.mark.slow
def test_a_damaged_champion_is_replaced(refresh, place: Place) -> None:
    path = place.generators / "0001" / "model" / "columns.json"
    path.write_bytes(path.read_bytes() + b" ")
    ended = refresh(place)
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "promoted")
    assert met(ended) == ["damaged"]
    assert "not those that were published" in ended.document["result"]["no_contest"]
    assert place.aliases()["champion"] == 2


@pytest.mark.slow
def test_a_champion_whose_manifest_cannot_be_read_is_replaced(refresh, place: Place) -> None:
    (place.generators / "0001" / "manifest.json").write_text("{")
    ended = refresh(place)
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "promoted")
    assert place.aliases()["champion"] == 2


@pytest.mark.slow
@pytest.mark.parametrize("damaged", [False, True])
def test_without_the_counts_of_what_it_learned_from_a_champion_is_refitted_with_new_rows(
    refresh, place: Place, damaged: bool
) -> None:
    counts = place.out / "refresh" / "references" / "0001.npz"
    counts.write_bytes(counts.read_bytes()[:100]) if damaged else counts.unlink()
    place.add(4, rows=40)
    words = ["--dry-run"] if damaged else []
    ended = refresh(place, *words)
    assert ended.code == 0
    assert met(ended) == ["no_reference"]
    assert damaged or place.aliases()["champion"] == 2


def test_a_held_lock_exits_75_and_changes_nothing(refresh, place: Place) -> None:
    with held(place.out) as pid:
        before = tree(place.out)
        ended = refresh(place, "--force")
        assert tree(place.out) == before
    assert (ended.code, ended.document["error"]["kind"]) == (75, "lock")
    assert str(pid) in ended.document["error"]["message"]


def test_standard_input_and_no_table_are_mistakes_of_usage(refresh, place: Place) -> None:
    before = generators(place)
    for words in (["-"], ["--set", "data.path=[parts, '-']"], ["--set", "data.path=null"]):
        ended = refresh(place, *words)
        assert (ended.code, ended.document["error"]["kind"]) == (2, "usage")
    assert champion_stays(place, before)
    assert refresh(place).document["result"]["outcome"] == "unchanged"


def test_a_table_that_is_not_there_stops_a_refresh(refresh, place: Place) -> None:
    (place.folder / "parts").rename(place.folder / "away")
    before = generators(place)
    ended = refresh(place)
    assert (ended.code, ended.document["error"]["kind"]) == (3, "missing_file")
    assert champion_stays(place, before)
    assert (place.events()[-1]["event"], place.events()[-1]["kind"]) == ("stopped", "missing_file")
    assert place.state()["checked_outcome"] == "stopped"
    (place.folder / "away").rename(place.folder / "parts")
    assert refresh(place).document["result"]["outcome"] == "unchanged"


# after a promotion


@pytest.mark.slow
def test_a_new_champion_s_rows_are_drawn_where_that_is_asked_for(refresh, place: Place) -> None:
    ended = refresh(place, "--force", "--set", "refresh.sample=true", "--set", "sample.rows=120")
    drawn = place.out / "synthetic" / "synthetic.parquet"
    assert ended.code == 0
    assert Path(ended.document["result"]["sampled"]).resolve() == drawn.resolve()
    assert pl.read_parquet(drawn).height == 120
    lineage = json.loads(drawn.with_name("synthetic.parquet.lineage.json").read_text())
    assert (lineage["kind"], lineage["generator"]["version"]) == ("synthetic", 2)
    assert [path.stem for path in (place.out / "sketches").iterdir()] == [lineage["sha256"]]


@pytest.mark.slow
def test_commands_run_after_a_promotion_in_the_config_s_folder(
    refresh, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    hooks = """refresh: {after_promotion: ['sh -c "(pwd; env | grep ^SYNTHCLI_) > told"', 'touch second'], """
    place.configure("refresh: {", hooks)
    ended = refresh(place, "--force")
    assert ended.code == 0
    folder, *variables = (place.folder / "told").read_text().splitlines()
    told = dict(variable.split("=", 1) for variable in variables if not variable.startswith("SYNTHCLI_TEST_"))
    assert folder == os.path.realpath(place.folder)
    assert (told.pop("SYNTHCLI_VERSION"), told.pop("SYNTHCLI_PREVIOUS")) == ("0002", "0001")
    assert {name: os.path.realpath(path) for name, path in told.items()} == {
        "SYNTHCLI_OUT": os.path.realpath(place.out),
        "SYNTHCLI_REPORT": os.path.realpath(place.out / "refresh" / "0002" / "report.html"),
    }
    assert (place.folder / "second").exists()
    hooks = [(hook["command"], hook["exit_code"]) for hook in ended.document["result"]["hooks"]]
    assert hooks == [("sh", 0), ("touch", 0)], "programs alone: arguments may be secret"
    assert [event["event"] for event in place.events()][-3:] == ["promoted", "hook", "hook"]
    (place.folder / "second").unlink()
    refresh(place)
    assert not (place.folder / "second").exists(), "only a promotion is followed by them"


@pytest.mark.slow
def test_a_command_that_fails_exits_4_and_the_version_is_champion_all_the_same(refresh, place: Place) -> None:
    place.configure("refresh: {", "refresh: {after_promotion: ['true', 'sh -c \"exit 9\" hunter2', 'touch third'], ")
    ended = refresh(place, "--force")
    assert ended.code == 4
    told = "refresh.after_promotion[1] (sh) ended with exit code 9; version 0002 is champion all the same"
    assert ended.document["error"]["message"] == told
    assert "hunter2" not in ended.err
    assert place.aliases() == {"champion": 2, "previous": 1}
    assert not (place.folder / "third").exists()
    assert place.events()[-1]["exit_code"] == 9
    assert refresh(place).document["result"]["outcome"] == "unchanged"


@pytest.mark.slow
def test_old_versions_go_and_champion_and_previous_never(refresh, place: Place) -> None:
    pruned = [refresh(place, "--force", "--set", "refresh.keep=1").document["result"]["pruned"] for _ in range(3)]
    assert pruned == [[], [1], [2]]
    assert place.aliases() == {"champion": 4, "previous": 3}
    assert refresh(place, "--force", "--set", "refresh.keep=1", "--set", IMPOSSIBLE).code == 1
    assert sorted(path.name for path in place.generators.glob("0*")) == ["0003", "0004"]
    assert sorted(path.name for path in (place.out / "refresh" / "references").iterdir()) == ["0003.npz", "0004.npz"]
    assert place.aliases() == {"champion": 4, "previous": 3}


# what no refresh does


def parts_of(place: Place, share: float) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Return the rows that were learned from, those that were compared on, and those that are reserved."""
    folder = SplitFolder(place.out / "split")
    train, holdout = pl.read_parquet(folder.train), pl.read_parquet(folder.holdout)
    slot = pl.Series(inner_slot(Digest.of(train, folder.read().rule), folder.read().rule, share))
    return train.filter(~slot), train.filter(slot), holdout


@pytest.mark.slow
def test_no_version_learns_from_a_row_that_is_ever_reserved_or_compared_on(refresh, tmp_path: Path) -> None:
    place = started(tmp_path / "growing")
    learned, aside = set(), set()
    for number in (1, 4, 5):
        if number == 5:  # the same rows in another file and another order
            place.part(1).unlink()
            place.write(2, pl.concat([month(2), month(1)]).sample(fraction=1.0, shuffle=True, seed=1))
        if number > 3:
            place.add(number)
        assert refresh(place).document["result"]["outcome"] == "promoted"
        fitted, inner, holdout = parts_of(place, NO_CONTEST)
        rows = json.loads((place.out / "split" / "split.json").read_text())["rows"]
        described = place.manifest(place.aliases()["champion"])["train"]
        assert described["rows"] == fitted.height == rows["train"] - inner.height
        assert described["content_key"] == table_key(fitted, fitted.columns), "these rows were learned from"
        assert min(inner.height, holdout.height) > 10
        keys = [set(row_keys(part, part.columns).tolist()) for part in (fitted, inner, holdout)]
        assert sum(map(len, keys)) == fitted.height + inner.height + holdout.height, "all rows are different"
        learned |= keys[0]
        aside |= keys[1] | keys[2]
        assert not learned & aside
    assert len(learned | aside) == 2500


RARE, ODD, FAR = "Zzyzx-Quartz", "Unobtainium", 98765.4321


@pytest.mark.slow
def test_no_cell_is_told_where_it_does_not_belong(call, tmp_path: Path) -> None:
    """A rare category, an extreme number and a text among numbers, through every way that a refresh can end."""
    place = started(tmp_path / "marked")
    first = pl.int_range(500) < 3
    marked = month(1).with_columns(
        city=pl.when(first).then(pl.lit(RARE)).otherwise("city"),
        size=pl.when(pl.int_range(500) == 9).then(pl.lit(FAR)).otherwise("size"),
    )
    place.write(1, marked)
    words = ["refresh", "-c", place.config, "-v", "--explain"]
    told, codes = [], []

    def refreshed(*more: str) -> None:
        for ended in (call(*words, "--dry-run", *more), call(*words, *more)):
            told.append(ended.out + ended.err)
        codes.append(ended.code)
        told.append(call(*words, "--json", "--dry-run", *more).out)

    refreshed()
    refreshed("--force", "--set", IMPOSSIBLE)
    place.write(4, month(4, 40).with_columns(city=pl.lit(ODD)))
    refreshed()
    place.write(4, month(4, 40).with_columns(size=pl.lit(ODD)))
    refreshed()
    place.write(4, month(4, 40).with_columns(size=pl.lit(FAR), city=pl.lit(RARE)))
    refreshed()
    place.add(4, 40)
    refreshed()
    assert codes == [0, 1, 3, 3, 3, 0]
    told += [call(name, "-c", place.config).out for name in ("status", "history")]
    markers = (RARE, ODD, "98765", "98,765")
    assert not [marker for text in told for marker in markers if marker in text]
    files = [*(place.out / "refresh").rglob("*.*"), *place.generators.glob("*.json*")]
    assert {path.suffix for path in files} >= {".json", ".jsonl", ".html", ".npz"}
    for path in files:
        content = path.read_bytes()
        assert not [marker for marker in markers if marker.encode() in content], path.name
    for path in files:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                for name, array in arrays.items():
                    if array.dtype.kind == "U":
                        assert set(array.tolist()) <= set(marked.columns), name
                    elif array.dtype.kind == "f":
                        assert not (array == FAR).any(), name


@pytest.mark.slow
@pytest.mark.parametrize(
    "change", [lambda part: part.drop("weight"), lambda part: part.with_columns(weight=pl.lit("w"))]
)
def test_columns_that_the_split_s_rule_needs_are_accepted_and_the_holdout_is_drawn_anew(
    refresh: Callable[..., Any], place: Place, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> None:
    with_columns(place, change)
    ended = refresh(place, "--allow-schema-change")
    assert (ended.code, place.aliases()["champion"]) == (0, 2)
    assert any("the holdout is drawn anew" in warning for warning in ended.document["warnings"])
    assert refresh(place).document["result"]["outcome"] == "unchanged"


@pytest.mark.slow
def test_columns_that_the_champion_lacks_stay_a_reason(refresh: Callable[..., Any], place: Place) -> None:
    with_columns(place, lambda part: part.with_columns(extra=pl.col("size").round(0)))
    impossible = "validate.gates_add=[{metric: accuracy.bivariate, min: 1.5}]"
    assert refresh(place, "--allow-schema-change", "--set", impossible).code == 1
    ended = refresh(place)
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "promoted")
    assert "schema" in met(ended)


@pytest.mark.slow
def test_a_champion_of_another_split_is_not_compared(refresh: Callable[..., Any], place: Place) -> None:
    shutil.rmtree(place.out / "split")
    ended = refresh(place, "--set", "split.salt=other", "--set", "refresh.inner=0.1")
    assert ended.document["result"]["contest"] is None
    assert any("drawn anew" in warning for warning in ended.document["warnings"])


def test_an_unchanged_refresh_after_a_rejection_is_not_healthy(refresh: Callable[..., Any], tmp_path: Path) -> None:
    place = started(tmp_path)
    place.configure("min: 0.5", "min: 1.5")
    assert refresh(place).code == 1
    assert refresh(place).document["result"]["outcome"] == "unchanged"
    assert place.state()["healthy"] is None


@pytest.mark.slow
def test_a_damaged_champion_is_replaced_also_after_a_rejection(refresh: Callable[..., Any], place: Place) -> None:
    assert refresh(place, "--force", "--set", "validate.gates_add=[{metric: accuracy.bivariate, min: 1.5}]").code == 1
    (place.generators / "0001" / "manifest.json").write_text("{", encoding="utf-8")
    ended = refresh(place)
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "promoted")
    assert "previous" not in place.aliases()


@pytest.mark.parametrize("line", ['echo "', "   "])
def test_a_hook_that_is_no_command_is_refused_before_anything_is_done(
    refresh: Callable[..., Any], place: Place, line: str
) -> None:
    place.configure("refresh: {", f"refresh: {{after_promotion: ['{line}'], ")
    before = tree(place.folder)
    assert refresh(place, "--force").code == 2
    assert tree(place.folder) == before


def test_a_file_that_is_there_twice_stops_a_refresh(refresh, place: Place) -> None:
    before = generators(place)
    shutil.copy(place.part(2), place.part(2).with_name("copy.csv"))
    ended = refresh(place)
    assert (ended.code, ended.document["error"]["kind"]) == (3, "bad_table")
    assert "same content" in ended.document["error"]["message"]
    assert champion_stays(place, before)


def test_exports_that_overlap_stop_a_refresh(refresh, place: Place) -> None:
    before = generators(place)
    place.write(4, pl.concat([month(3).head(250), month(4).head(250)]))
    ended = refresh(place)
    assert (ended.code, ended.document["error"]["kind"]) == (3, "bad_table")
    assert "repeat rows that were learned from" in ended.document["error"]["message"]
    assert champion_stays(place, before)


def test_a_split_by_time_is_refused_since_no_refresh_could_learn_a_new_row(refresh, tmp_path: Path) -> None:
    place = started(tmp_path)
    ended = refresh(place, "--set", "split.method=time")
    assert (ended.code, ended.document["error"]["kind"]) == (2, "config")


def test_a_column_to_ignore_that_is_not_there_is_refused(refresh, place: Place) -> None:
    ended = refresh(place, "--force", "--set", "refresh.drift.ignore=[nosuch]")
    assert (ended.code, ended.document["error"]["kind"]) == (2, "config")


@pytest.mark.slow
def test_after_a_renewed_split_and_a_rejection_the_next_refresh_works(refresh, place: Place) -> None:
    for number in (1, 2, 3):
        place.write(number, month(number).rename({"weight": "mass"}))
    impossible = "validate.gates_add=[{metric: accuracy.bivariate, min: 1.5}]"
    assert refresh(place, "--allow-schema-change", "--set", impossible).code == 1
    place.write(4, month(4).rename({"weight": "mass"}))
    ended = refresh(place)
    assert (ended.code, ended.document["result"]["outcome"]) == (0, "promoted")
    assert "no_reference" in met(ended)


def test_a_newest_row_of_the_future_is_told(refresh, place: Place) -> None:
    late = month(4).with_columns(day=pl.lit("2099-01-01"))
    place.write(4, late)
    assert any("of the future" in warning for warning in refresh(place, "--dry-run").document["warnings"])
