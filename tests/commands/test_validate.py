"""``validate``: canaries on real rows, the verdict of a Gaussian copula, exit codes, the report's document."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

AWAY = ["arr_delay", "arr_time", "air_time", "dep_delay", "dep_time"]


@pytest.fixture(scope="session")
def thirds(tmp_path_factory: pytest.TempPathFactory, flights_csv: Path) -> Path:
    """Real flights in three disjoint parts: train, holdout and fresh."""
    folder = tmp_path_factory.mktemp("thirds")
    rows = pl.read_csv(flights_csv, null_values=["NA"], try_parse_dates=True).sample(fraction=1, shuffle=True, seed=1)
    for name, part in (("train", rows[:5000]), ("holdout", rows[5000:9000]), ("fresh", rows[9000:])):
        part.write_parquet(folder / f"{name}.parquet")
    return folder


@pytest.fixture
def audit(call, thirds: Path, tmp_path: Path):
    """Return a function that audits a table against the real thirds with the default gates."""

    def audited(synthetic: pl.DataFrame, *words: object):
        synthetic.write_parquet(tmp_path / "synthetic.parquet")
        files = [f"--{side}={thirds / f'{side}.parquet'}" for side in ("train", "holdout")]
        settings = ["--set", "data.target=late", "--set", f"data.exclude_features=[{','.join(AWAY)}]"]
        given = ["--synthetic", tmp_path / "synthetic.parquet", *files, *settings]
        return call("validate", *given, "--out", tmp_path / "out", "--json", *words)

    return audited


def failed(ended) -> set[str]:
    return {gate["metric"] for gate in ended.document["result"]["gates"] if gate["failed"]}


def table(thirds: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(thirds / f"{name}.parquet")


def test_canary_fresh_real_rows_pass(audit, thirds: Path) -> None:
    ended = audit(table(thirds, "fresh"))
    assert failed(ended) == set()
    assert ended.code == 0
    assert ended.document["result"]["verdict"] == "pass"


@pytest.mark.parametrize("side", ["train", "holdout"])
def test_canary_a_copy_fails_on_privacy(audit, thirds: Path, side: str) -> None:
    ended = audit(table(thirds, side))
    assert ended.code == 1
    assert "privacy.known_record_share" in failed(ended)


def test_canary_five_percent_copies_fail_on_privacy(audit, thirds: Path) -> None:
    ended = audit(pl.concat([table(thirds, "fresh")[:3800], table(thirds, "train")[:200]]))
    assert failed(ended) == {"privacy.known_record_share"}


def test_canary_shuffled_columns_fail_on_pairs_and_utility(audit, thirds: Path) -> None:
    train, rng = table(thirds, "train"), np.random.default_rng(0)
    ended = audit(train.select(pl.col(name).gather(rng.permutation(train.height)) for name in train.columns))
    assert ended.code == 1
    assert failed(ended) >= {"accuracy.bivariate", "utility.ratio"}


def test_the_copulas_flights_fail_the_accuracy_gate(call, flights_run: Path) -> None:
    ended = call("validate", "-c", flights_run / "flights.yaml", "--json")
    assert ended.code == 1
    assert ended.document["status"] == "failed"
    assert "accuracy.bivariate" in failed(ended)
    assert "privacy.known_record_share" not in failed(ended)
    quiet = call("validate", "-c", flights_run / "flights.yaml", "--fail-on", "never")
    assert quiet.code == 0
    assert quiet.out.startswith("FAIL")


def test_the_report_file_holds_the_document(call, flights_run: Path) -> None:
    call("validate", "-c", flights_run / "flights.yaml", "-q")
    report = json.loads((flights_run / "artifacts" / "validate" / "report.json").read_text())
    assert report["schema_version"] == 1
    assert report["verdict"] == "fail"
    assert report["seed"] == 7
    assert set(report["inputs"]) == {"train", "holdout", "synthetic"}
    assert all(len(given["sha256"]) == 64 and given["rows"] > 0 for given in report["inputs"].values())
    fields = {"name", "family", "value", "low", "high", "n", "p_value", "reference", "reference_kind", "floor"}
    assert all(fields | {"direction", "range", "status", "detail"} <= set(metric) for metric in report["metrics"])
    assert len(report["columns"]) == 15
    assert len(report["pairs"]) == 105


def test_the_same_audit_gives_the_same_figures(call, flights_run: Path) -> None:
    first, second = (
        call("validate", "-c", flights_run / "flights.yaml", "--json").document["result"] for _ in range(2)
    )
    assert first == second


def test_a_written_gate_decides(audit, thirds: Path) -> None:
    fresh = table(thirds, "fresh")
    rules = "[{metric: accuracy.univariate, min: 0.999}]"
    assert failed(audit(fresh, "--set", f"validate.gates={rules}")) == {"accuracy.univariate"}
    warning = "[{metric: accuracy.univariate, min: 0.999, level: warning}]"
    assert audit(fresh, "--set", f"validate.gates={warning}").code == 0
    assert audit(fresh, "--set", f"validate.gates={warning}", "--fail-on", "warning").code == 1


def test_a_gate_that_can_never_match_is_a_configuration_error(audit, thirds: Path) -> None:
    ended = audit(table(thirds, "fresh"), "--set", "validate.gates_add=[{metric: privacy.known_records, max: 0}]")
    assert ended.code == 2
    assert "privacy.known_record_share" in ended.document["error"]["hint"]


def test_only_the_named_families_are_measured(audit, thirds: Path) -> None:
    ended = audit(table(thirds, "fresh"), "--set", "validate.families=[privacy]")
    assert {metric["family"] for metric in ended.document["result"]["metrics"]} == {"privacy"}


def test_a_missing_column_and_a_missing_file_exit_3(audit, call, thirds: Path, tmp_path: Path) -> None:
    ended = audit(table(thirds, "fresh").drop("carrier"))
    assert ended.code == 3
    assert "carrier" in ended.document["error"]["message"]
    ended = call("validate", "--out", tmp_path / "none")
    assert ended.code == 3
    assert "synthcli split" in ended.err


def test_the_terminal_report_opens_with_the_verdict_and_fits_80_columns(call, flights_run: Path) -> None:
    ended = call("validate", "-c", flights_run / "flights.yaml")
    lines = ended.out.splitlines()
    assert lines[0].startswith("FAIL")
    assert "accuracy.bivariate: pairs of columns" in lines[1]
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in ended.out


def test_no_cell_of_the_real_table_is_in_the_report(flights_run: Path, call) -> None:
    call("validate", "-c", flights_run / "flights.yaml", "-q")
    text = (flights_run / "artifacts" / "validate" / "report.json").read_text()
    train = pl.read_parquet(flights_run / "artifacts" / "split" / "train.parquet")
    tails = train["tailnum"].drop_nulls().unique()
    assert not any(tail in text for tail in tails)
