"""``validate``: canaries on real rows, the verdict of a Gaussian copula, exit codes, the report's document."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

ALL = "accuracy, validity, diversity, similarity, privacy, utility"
QUICK = ("--json", "--set", "validate.families=[validity]")
ONLY_UTILITY = ("--set", "validate.families=[utility]")
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
    """Return a function that audits a table against the real thirds with the default gates of some families."""

    def audited(synthetic: pl.DataFrame, *words: object, families: str = "accuracy"):
        synthetic.write_parquet(tmp_path / "synthetic.parquet")
        files = [f"--{side}={thirds / f'{side}.parquet'}" for side in ("train", "holdout")]
        settings = ["--set", "data.target=late", "--set", f"data.exclude_features=[{','.join(AWAY)}]"]
        given = ["--synthetic", tmp_path / "synthetic.parquet", *files, *settings]
        chosen = ["--set", f"validate.families=[{families}]"]
        return call("validate", *given, "--out", tmp_path / "out", "--json", *chosen, *words)

    return audited


def failed(ended) -> set[str]:
    return {gate["metric"] for gate in ended.document["result"]["gates"] if gate["failed"]}


def table(thirds: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(thirds / f"{name}.parquet")


def test_canary_fresh_real_rows_pass(audit, thirds: Path) -> None:
    ended = audit(table(thirds, "fresh"), families=ALL)
    assert failed(ended) == set()
    assert ended.code == 0
    assert ended.document["result"]["verdict"] == "pass"


@pytest.mark.parametrize("side", ["train", "holdout"])
def test_canary_a_copy_fails_on_privacy(audit, thirds: Path, side: str) -> None:
    ended = audit(table(thirds, side), families="privacy")
    assert ended.code == 1
    assert "privacy.known_record_share" in failed(ended)


@pytest.mark.slow
def test_canary_five_percent_copies_fail_on_privacy(audit, thirds: Path) -> None:
    mixed = pl.concat([table(thirds, "fresh")[:3800], table(thirds, "train")[:200]])
    assert failed(audit(mixed, families=ALL)) == {
        "privacy.known_record_share",
        "privacy.exact_match_excess",
        "privacy.near_match_excess",
    }


def test_canary_shuffled_columns_fail_on_pairs_and_utility(audit, thirds: Path) -> None:
    train, rng = table(thirds, "train"), np.random.default_rng(0)
    ended = audit(
        train.select(pl.col(name).gather(rng.permutation(train.height)) for name in train.columns),
        families="accuracy, utility",
    )
    assert ended.code == 1
    assert failed(ended) >= {"accuracy.bivariate", "utility.ratio"}


@pytest.fixture(scope="session")
def audited_run(flights_run: Path) -> tuple[Path, int, str]:
    """The finished run after one whole audit: its folder, the audit's exit code and what it printed."""
    words = [sys.executable, "-m", "synthcli", "validate", "-c", str(flights_run / "flights.yaml"), "-q"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return flights_run, done.returncode, done.stdout


def stored(run: tuple[Path, int, str]) -> Path:
    return run[0] / "artifacts" / "validate" / "report.json"


def test_the_copulas_flights_fail_the_accuracy_gate(call, audited_run) -> None:
    assert audited_run[1] == 1
    gates = json.loads(stored(audited_run).read_text())["gates"]
    accused = {gate["metric"] for gate in gates if gate["failed"]}
    assert "accuracy.bivariate" in accused
    assert not [metric for metric in accused if metric.startswith("privacy.")]
    again = call("validate", "--from", stored(audited_run), "--fail-on", "never")
    assert again.code == 0
    assert again.out.startswith("FAIL  of ")


def test_the_report_file_holds_the_document(audited_run) -> None:
    report = json.loads(stored(audited_run).read_text())
    assert report["schema_version"] == 1
    assert report["verdict"] == "fail"
    assert report["seed"] == 7
    assert set(report["inputs"]) == {"train", "holdout", "synthetic"}
    assert all(len(given["sha256"]) == 64 and given["rows"] > 0 for given in report["inputs"].values())
    fields = {"name", "family", "value", "low", "high", "n", "p_value", "reference", "reference_kind", "floor"}
    assert all(fields | {"direction", "range", "status", "detail"} <= set(metric) for metric in report["metrics"])
    assert len(report["columns"]) == 15
    assert len(report["pairs"]) == 105


@pytest.mark.slow
def test_the_same_audit_gives_the_same_figures(call, audited_run) -> None:
    first = json.loads(stored(audited_run).read_text())
    config = audited_run[0] / "flights.yaml"
    second = call("validate", "-c", config, "--out", audited_run[0] / "artifacts", "--json").document["result"]
    assert second["metrics"] == first["metrics"]
    assert second["gates"] == first["gates"]


def test_a_written_gate_decides(audit, thirds: Path) -> None:
    fresh = table(thirds, "fresh")
    rules = "[{metric: accuracy.univariate, min: 0.999}]"
    assert failed(audit(fresh, "--set", f"validate.gates={rules}")) == {"accuracy.univariate"}
    warning = "[{metric: accuracy.univariate, min: 0.999, level: warning}]"
    assert audit(fresh, "--set", f"validate.gates={warning}").code == 0
    assert audit(fresh, "--set", f"validate.gates={warning}", "--fail-on", "warning").code == 1


def test_a_gate_that_can_never_match_is_a_configuration_error(audit, thirds: Path) -> None:
    wrong = "validate.gates_add=[{metric: privacy.known_records, max: 0}]"
    ended = audit(table(thirds, "fresh"), "--set", wrong, families="privacy")
    assert ended.code == 2
    assert "privacy.known_record_share" in ended.document["error"]["hint"]


def test_only_the_named_families_are_measured(audit, thirds: Path) -> None:
    ended = audit(table(thirds, "fresh"), families="validity")
    assert {metric["family"] for metric in ended.document["result"]["metrics"]} == {"validity"}


def test_a_missing_column_and_a_missing_file_exit_3(audit, call, thirds: Path, tmp_path: Path) -> None:
    ended = audit(table(thirds, "fresh").drop("carrier"))
    assert ended.code == 3
    assert "carrier" in ended.document["error"]["message"]
    ended = call("validate", "--out", tmp_path / "none")
    assert ended.code == 3
    assert "synthcli split" in ended.err


def test_the_terminal_report_opens_with_the_verdict_and_fits_80_columns(audited_run) -> None:
    out = audited_run[2]
    lines = out.splitlines()
    assert lines[0].startswith("FAIL")
    assert any("accuracy.bivariate: pairs of columns" in line for line in lines[1:4])
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in out


def test_no_rare_category_and_no_true_extreme_is_in_the_report(audited_run) -> None:
    text = stored(audited_run).read_text()
    train = pl.read_parquet(audited_run[0] / "artifacts" / "split" / "train.parquet")
    tails = train["tailnum"].drop_nulls().value_counts().filter(pl.col("count") < 5)["tailnum"]
    assert len(tails) > 100
    assert not any(tail in text for tail in tails)
    ends = [train[name].max() for name in ("distance", "arr_delay", "air_time")]
    assert not any(re.search(rf"(?<![\d.,]){end:,}(?![\d,])|(?<![\d.,]){end}(?![\d,])", text) for end in ends)


# what must not pass


def spelled(call, tmp_path: Path, files: dict[str, pl.DataFrame], *words: object):
    """Audit three frames as CSV files, as another tool would hand them over."""
    for name, frame in files.items():
        frame.write_csv(tmp_path / f"{name}.csv")
    given = [f"--{name}={tmp_path / f'{name}.csv'}" for name in files]
    words = words or ("--set", "validate.families=[validity, accuracy]")
    return call("validate", *given, "--out", tmp_path / "out", "--json", *words)


@pytest.fixture
def plain(thirds: Path) -> dict[str, pl.DataFrame]:
    names = ["carrier", "origin", "distance", "sched_dep_time", "late"]
    return {
        side: table(thirds, name).select(names).drop_nulls()
        for side, name in (("train", "train"), ("holdout", "holdout"), ("synthetic", "fresh"))
    }


@pytest.mark.parametrize("rows", [2_000, 4_000])
def test_a_holdout_whose_rows_stand_in_training_is_refused(call, thirds: Path, tmp_path: Path, rows: int) -> None:
    train = table(thirds, "train")
    ended = spelled(call, tmp_path, {"train": train, "holdout": train[:rows], "synthetic": train})
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "holdout_rows"


def test_tables_of_a_few_rows_are_refused(call, plain: dict, tmp_path: Path) -> None:
    for side in plain:
        ended = spelled(call, tmp_path, {**plain, side: plain[side][:5]})
        assert ended.code == 3
        assert "at least 50" in ended.document["error"]["message"]


def test_invented_dependence_fails(call, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    real = [pl.DataFrame({name: rng.normal(size=rows) for name in "abcd"}) for rows in (2_000, 500)]
    one = rng.normal(size=2_000)
    files = {"train": real[0], "holdout": real[1], "synthetic": pl.DataFrame(dict.fromkeys("abcd", one))}
    assert "accuracy.bivariate" in failed(spelled(call, tmp_path, files))


def test_a_lost_class_fails_on_utility(call, plain: dict, tmp_path: Path) -> None:
    lost = plain["synthetic"].filter(~pl.col("late"))
    ended = spelled(call, tmp_path, {**plain, "synthetic": lost}, "--set", "data.target=late", *ONLY_UTILITY)
    assert "utility.ratio" in failed(ended)


@pytest.mark.parametrize(
    "change",
    [
        pl.col("distance").cast(pl.Float64),
        pl.col("late").cast(pl.Int8),
        pl.col("late").cast(pl.String).str.to_titlecase(),
        pl.col("distance") + 0.5,
    ],
    ids=["1.0", "0/1", "True", "fraction"],
)
def test_other_tools_spellings_are_read_and_measured(call, plain: dict, tmp_path: Path, change: pl.Expr) -> None:
    files = {**plain, "synthetic": plain["synthetic"].with_columns(change).select(reversed(plain["train"].columns))}
    ended = spelled(call, tmp_path, files)
    assert ended.code in (0, 1), ended.err
    assert ended.document["status"] in ("ok", "failed")


@pytest.mark.slow
def test_a_table_read_from_disk_gives_the_same_report(call, plain: dict, tmp_path: Path, monkeypatch) -> None:
    words = ("--set", "validate.compat=true", "--set", "data.target=late")
    in_memory = spelled(call, tmp_path, plain, *words).document["result"]
    monkeypatch.setattr("synthcli.commands.inputs.CELLS_IN_MEMORY", 0)
    on_disk = spelled(call, tmp_path, plain, *words).document["result"]
    assert on_disk["metrics"] == in_memory["metrics"]


def test_a_column_that_only_the_holdout_knows_is_left_alone(call, plain: dict, tmp_path: Path) -> None:
    more = {side: frame.with_columns(more=pl.lit(1 if side == "holdout" else "a")) for side, frame in plain.items()}
    more["train"] = plain["train"]
    words = []
    for side, frame in more.items():
        frame.write_parquet(tmp_path / f"{side}.parquet")
        words.append(f"--{side}={tmp_path / f'{side}.parquet'}")
    assert call("validate", *words, "--out", tmp_path / "out", *QUICK).code in (0, 1)


def test_tables_of_texts_alone_have_their_scores(call, plain: dict, tmp_path: Path) -> None:
    texts = {side: frame.select("carrier", "origin") for side, frame in plain.items()}
    words = ("--set", "validate.compat=true", "--set", "validate.families=[validity]")
    ended = spelled(call, tmp_path, texts, *words)
    shapes = [m for m in ended.document["result"]["metrics"] if m["name"] == "compat.sdmetrics_shapes"]
    assert shapes[0]["value"] > 0.9


def test_a_target_that_is_not_there_or_no_target_is_a_configuration_error(call, flights_run: Path) -> None:
    for words, said in (
        (["data.target=lat"], "late"),
        (["data.exclude_features=[nope]"], "carrier"),
        (["data.target=carrier", "data.columns={carrier: {type: id}}"], "id"),
    ):
        sets = [part for word in words for part in ("--set", word)]
        ended = call("validate", "--out", flights_run / "artifacts", *sets)
        assert ended.code == 2, ended.err
        assert said in ended.err


def test_a_gate_that_warns_fails_the_verdict_where_warnings_count(audit, thirds: Path) -> None:
    warning = "[{metric: accuracy.univariate, min: 0.999, level: warning}]"
    ended = audit(table(thirds, "fresh"), "--set", f"validate.gates={warning}", "--fail-on", "warning")
    assert (ended.code, ended.document["result"]["verdict"]) == (1, "fail")


def test_a_folder_of_parts_can_be_audited(call, plain: dict, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    parts.mkdir()
    for number in range(2):
        plain["synthetic"][number::2].write_parquet(parts / f"{number}.parquet")
    for name in ("train", "holdout"):
        plain[name].write_parquet(tmp_path / f"{name}.parquet")
    given = [f"--{name}={tmp_path / f'{name}.parquet'}" for name in ("train", "holdout")]
    ended = call("validate", *given, "--synthetic", parts, "--out", tmp_path / "out", *QUICK)
    assert ended.code in (0, 1), ended.err


# which generator drew the rows


@pytest.fixture
def out(flights_run: Path, tmp_path: Path) -> Path:
    """A copy of the finished run's directory that a test may change."""
    import shutil

    return Path(shutil.copytree(flights_run / "artifacts", tmp_path / "artifacts"))


def described(out: Path, **changes: object) -> None:
    """Change what the first generator's manifest says of its training table."""
    path = out / "generators" / "0001" / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["train"].update(changes)
    path.write_text(json.dumps(manifest))


def test_the_report_names_the_generator_that_drew_the_rows(call, out: Path) -> None:
    assert call("validate", "--out", out, *QUICK).code in (0, 1)
    inputs = json.loads((out / "validate" / "report.json").read_text())["inputs"]
    assert inputs["synthetic"]["generator"] == "0001"
    assert inputs["train"]["generator"] is None


def test_rows_of_another_tool_name_no_generator(call, out: Path, tmp_path: Path) -> None:
    pl.read_parquet(out / "synthetic" / "synthetic.parquet").write_parquet(tmp_path / "t.parquet")
    call("validate", "--out", out, "--synthetic", tmp_path / "t.parquet", *QUICK)
    inputs = json.loads((out / "validate" / "report.json").read_text())["inputs"]
    assert inputs["synthetic"]["generator"] is None


@pytest.mark.parametrize("split", [None, "0" * 64], ids=["without a split", "under another one"])
def test_a_generator_that_may_have_seen_the_holdout_is_not_audited_on_it(call, out: Path, split: str | None) -> None:
    described(out, split=split, path="gone.parquet")
    ended = call("validate", "--out", out, *QUICK)
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "holdout_rows"
    assert "0001" in ended.document["error"]["message"]
    assert "synthcli fit" in ended.document["error"]["hint"]
    given = call("validate", "--out", out, "--holdout", out.parent / "artifacts" / "split" / "holdout.parquet", *QUICK)
    assert given.code == 3  # the same file, however it is named


def test_nor_are_its_rows_in_shards(call, out: Path, tmp_path: Path) -> None:
    words = ("--shards", 2, "-n", 200, "--seed", 1, "--workers", 1, "--output", tmp_path / "set")
    assert call("sample", "--out", out, *words, "-q").code == 0
    assert call("validate", "--out", out, "--synthetic", tmp_path / "set", *QUICK).code in (0, 1)
    inputs = json.loads((out / "validate" / "report.json").read_text())["inputs"]
    assert inputs["synthetic"]["generator"] == "0001"
    described(out, split="0" * 64, path="gone.parquet")
    for where in (tmp_path / "set", tmp_path / "set" / "*.parquet"):
        ended = call("validate", "--out", out, "--synthetic", where, *QUICK)
        assert ended.code == 3
        assert ended.document["error"]["kind"] == "holdout_rows"


def test_another_holdout_may_be_audited_against(call, out: Path, tmp_path: Path) -> None:
    described(out, split=None, path="gone.parquet")
    pl.read_parquet(out / "split" / "holdout.parquet").write_parquet(tmp_path / "mine.parquet")
    assert call("validate", "--out", out, "--holdout", tmp_path / "mine.parquet", *QUICK).code in (0, 1)


def test_a_generator_without_a_split_is_audited_where_its_table_holds_no_reserved_row(call, out: Path) -> None:
    described(out, split=None, path=str(out / "split" / "train.parquet"))
    assert call("validate", "--out", out, *QUICK).code in (0, 1)


def test_a_generator_whose_table_holds_reserved_rows_is_refused(call, out: Path, tmp_path: Path) -> None:
    from synthcli.artifacts import sha256

    everything = tmp_path / "everything.parquet"
    parts = [pl.read_parquet(out / "split" / f"{name}.parquet") for name in ("train", "holdout")]
    pl.concat(parts).write_parquet(everything)
    described(out, split=None, path=str(everything), sha256=sha256(everything))
    ended = call("validate", "--out", out, *QUICK)
    assert ended.code == 3
    assert ended.document["error"]["kind"] == "holdout_rows"
    assert "reserved" in ended.document["error"]["message"]


# a stored report


def test_a_stored_report_is_judged_by_its_own_gates_or_by_those_given(call, audited_run) -> None:
    same = call("validate", "--from", stored(audited_run), "--json")
    assert same.code == 1
    assert same.document["result"]["gates"] == json.loads(stored(audited_run).read_text())["gates"]
    unrelated = call("validate", "--from", stored(audited_run), "--json", "--set", "run.seed=3")
    assert unrelated.document["result"]["gates"] == same.document["result"]["gates"]
    lax = call("validate", "--from", stored(audited_run), "--set", "validate.gates=[{metric: privacy.*, max: 1}]")
    assert lax.code == 1  # what was not measured cannot pass a written gate
    one = call("validate", "--from", stored(audited_run), "--set", "validate.gates=[{metric: utility.tstr, min: 0.5}]")
    assert one.code == 0


def test_a_stored_report_reads_no_table(call, audited_run) -> None:
    ended = call("validate", "--from", stored(audited_run), "--synthetic", "x.csv")
    assert ended.code == 2


def test_a_report_can_be_held_to_an_earlier_one(call, audited_run, tmp_path: Path) -> None:
    report = json.loads(stored(audited_run).read_text())
    for metric in report["metrics"]:
        if metric["name"] == "accuracy.bivariate":
            metric.update(value=0.9, low=0.89, high=0.91)
    (tmp_path / "old.json").write_text(json.dumps(report))
    rule = "[{metric: accuracy.*variate, max_drop_from: %s}]" % (tmp_path / "old.json")
    ended = call("validate", "--from", stored(audited_run), "--json", "--set", f"validate.gates={rule}")
    assert failed(ended) == {"accuracy.bivariate"}
    assert call("validate", "--from", stored(audited_run), "--set", "validate.gates=[{metric: accuracy.bivariate, "
                "max_drop_from: none.json}]").code == 3  # fmt: skip


def test_a_gate_on_columns_names_the_column_that_fails(call, audited_run) -> None:
    rule = "[{metric: accuracy.univariate, columns: dep_*, min: 0.8}]"
    ended = call("validate", "--from", stored(audited_run), "--json", "--set", f"validate.gates={rule}")
    columns = {gate["columns"][0]: gate["status"] for gate in ended.document["result"]["gates"]}
    assert columns == {"dep_time": "pass", "dep_delay": "fail"}
    typo = call("validate", "--from", stored(audited_run), "--set", "validate.gates=[{metric: accuracy.univariate, "
                "columns: dep_dely, min: 0.1}]")  # fmt: skip
    assert (typo.code, "did you mean 'dep_delay'" in typo.err) == (2, True)


def test_gates_of_the_environment_judge_a_stored_report(call, audited_run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHCLI_VALIDATE__GATES", "[{metric: utility.tstr, min: 0.5}]")
    ended = call("validate", "--from", stored(audited_run), "--json")
    assert (ended.code, len(ended.document["result"]["gates"])) == (0, 1)


def test_a_report_without_privacy_is_judged_by_all_default_gates(call, audited_run, tmp_path: Path) -> None:
    report = json.loads(stored(audited_run).read_text())
    report["metrics"] = [metric for metric in report["metrics"] if metric["family"] != "privacy"]
    (tmp_path / "cut.json").write_text(json.dumps(report))
    ended = call("validate", "--from", tmp_path / "cut.json", "--json")
    assert {"privacy.known_record_share", "privacy.dcr_share"} <= failed(ended)


def test_settings_about_columns_that_are_not_there_are_configuration_errors(audit, thirds: Path) -> None:
    for setting in (
        "validate.secrets=[nope]",
        "validate.groups=[nope]",
        "data.constraints=[{kind: inequality, low_column_name: nope, high_column_name: distance}]",
    ):
        assert audit(table(thirds, "fresh"), "--set", setting).code == 2


@pytest.mark.slow
def test_secrets_groups_constraints_and_compat_are_measured_where_they_are_set(audit, thirds: Path) -> None:
    ended = audit(
        table(thirds, "fresh"),
        *("--set", "validate.secrets=[carrier]", "--set", "validate.groups=[origin]", "--set", "validate.compat=true"),
        *("--set", "data.constraints=[{kind: fixed_increments, column_name: distance, increment_value: 1}]"),
        families=ALL,
    )
    measured = {m["name"]: m["value"] for m in ended.document["result"]["metrics"] if m["status"] == "measured"}
    assert measured["validity.constraints"] == 1
    assert {"privacy.inference_risk", "utility.subgroup_gap", "compat.sdmetrics_quality"} <= set(measured)


# the forms of the report


def test_triples_are_left_out_where_they_are_not_wanted(audit, thirds: Path) -> None:
    names = [metric["name"] for metric in audit(table(thirds, "fresh")).document["result"]["metrics"]]
    assert "accuracy.trivariate" in names
    less = audit(table(thirds, "fresh"), "--set", "validate.trivariate=false").document["result"]["metrics"]
    assert [metric["name"] for metric in less] == [name for name in names if name != "accuracy.trivariate"]


def test_every_form_of_the_report_says_the_same(audit, thirds: Path, tmp_path: Path) -> None:
    ended = audit(
        table(thirds, "train").sample(fraction=1, seed=1), "--junit", tmp_path / "gates.xml", families="privacy"
    )
    assert ended.code == 1
    paths = {name: Path(path) for name, path in ended.document["artifacts"].items()}
    assert paths["junit"] == tmp_path / "gates.xml"
    report = json.loads(paths["report"].read_text())
    failed_gates = sum(gate["status"] == "fail" for gate in report["gates"])
    suite = ElementTree.parse(paths["junit"]).getroot()[0]
    assert int(suite.attrib["failures"]) == failed_gates > 0
    assert int(suite.attrib["tests"]) == len(report["gates"])
    page = paths["html"].read_text(encoding="utf-8")
    assert "Not fit for release" in page
    assert "<script" not in page
    assert not re.search(r"https?://(?!www\.w3\.org/)", page)
    assert (
        "privacy.exact\\_match\\_excess" in paths["summary"].read_text()
        or "exact_match_excess" in paths["summary"].read_text()
    )


def test_a_dry_run_writes_no_report(audit, thirds: Path) -> None:
    ended = audit(table(thirds, "fresh"), "--dry-run")
    assert ended.document["artifacts"] == {}


def test_a_stored_report_is_judged_into_junit_only_where_asked(audit, call, thirds: Path, tmp_path: Path) -> None:
    stored_report = audit(table(thirds, "fresh")).document["artifacts"]["report"]
    assert call("validate", "--from", stored_report, "--json").document["artifacts"] == {}
    ended = call("validate", "--from", stored_report, "--junit", tmp_path / "again.xml", "--json")
    assert ended.document["artifacts"] == {"junit": str(tmp_path / "again.xml")}
    assert ElementTree.parse(tmp_path / "again.xml").getroot().tag == "testsuites"


def test_github_hears_of_failures_on_stderr_and_gets_a_summary(
    audit, thirds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    ended = audit(table(thirds, "train"), families="privacy")
    assert any(line.startswith("::error title=synthcli%3A privacy.") for line in ended.err.splitlines())
    assert "FAIL" in (tmp_path / "step.md").read_text()
