"""``synthcli collapse-sim`` as a user runs it: what it writes, what it refuses, and that it goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml

Call = Callable[..., object]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return a configuration for a small table with a holdout reserved: two numbers, a rare category, a target."""
    random = np.random.default_rng(4)
    rows = 1_500
    x = random.standard_normal(rows)
    table = pl.DataFrame(
        {
            "x": x.round(3),
            "y": (0.7 * x + random.standard_normal(rows)).round(3),
            "kind": random.choice([f"k{n:02d}" for n in range(20)], rows, p=[0.24, 0.2, 0.2, 0.2, *[0.01] * 16]),
            "good": random.random(rows) < 1 / (1 + np.exp(-2 * x)),
        }
    )
    table.write_parquet(tmp_path / "real.parquet")
    document = {
        "data": {"path": "real.parquet", "target": "good"},
        "protection": {"rare_category_min_count": 0, "clip_extremes": 0},
        "synthesizer": {"kind": "independent"},
        "collapse_sim": {"generations": 4, "chains": 3, "rows": 100, "regimes": ["replace"], "metrics": ["tvd"]},
        "run": {"output_dir": "out", "workers": 1, "seed": 3},
    }
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def ready(config: Path, call: Call) -> Path:
    assert call("split", "-c", config, "-q").code == 0
    return config


def report(config: Path) -> dict:
    return json.loads((config.parent / "out" / "collapse-sim" / "report.json").read_text())


def values(config: Path) -> pl.DataFrame:
    return pl.read_parquet(config.parent / "out" / "collapse-sim" / "trajectories.parquet")


def chain_files(config: Path) -> list[Path]:
    found = (config.parent / "out" / "collapse-sim" / "chains").glob("*/*")
    return sorted(path for path in found if not path.name.startswith("."))


@pytest.mark.slow
def test_every_regime_with_every_metric(ready: Path, call: Call) -> None:
    regimes = ["replace", "augment", "fresh", "accumulate", "accumulate-subsample"]
    words = [word for name in regimes for word in ("--regime", name)]
    ended = call("collapse-sim", "-c", ready, *words, "--fresh", "0.5", "--set", "collapse_sim.metrics=default")
    assert ended.code == 0, ended.err
    found = report(ready)
    assert [arm["name"] for arm in found["arms"]] == ["control", "replace", "augment", "fresh 0.5", *regimes[3:]]
    assert all(metric["status"] == "measured" for metric in found["metrics"] if metric["name"] != "tails")
    assert len(found["metrics"]) == 14
    for arm in found["arms"]:
        assert arm["verdict"] in {"stable", "degraded-plateau", "collapsing", "inconclusive"}
        measured = arm["trajectory"]["tvd"]
        assert measured["generation"] == [0, 1, 2, 3, 4]
        assert arm["trajectory"]["c2st_auc"]["generation"] == [0, 1, 4]
        # All start from the same real rows, the same first generator and the same first output.
        assert measured["mean"][:2] == found["arms"][0]["trajectory"]["tvd"]["mean"][:2]
    table = values(ready)
    assert table.columns == ["regime", "fresh_share", "chain", "generation", "metric", "column", "value"]
    assert set(table["metric"]) >= {"tvd", "dependence", "rare_category_survival"}
    # 1 - (1 - .01)^100: what 100 real rows show of a category of 1 % is told at generation 0.
    rare = table.filter((pl.col("metric") == "tvd") & pl.col("column").is_null() & (pl.col("generation") == 0))
    assert rare.height == 3 * len(found["arms"])
    assert "<svg" in (ready.parent / "out" / "collapse-sim" / "report.html").read_text()
    assert found["arms"][0]["recycled_from"] is None  # 1,100 rows last for three times 100
    assert "wrote trajectories" in ended.err


@pytest.mark.slow
def test_the_result_does_not_depend_on_workers(ready: Path, call: Call) -> None:
    assert call("collapse-sim", "-c", ready, "-q", "--set", "collapse_sim.metrics=default").code == 0
    one, first = report(ready), values(ready)
    for path in chain_files(ready):
        path.unlink()
    assert call("collapse-sim", "-c", ready, "-q", "--workers", "2", "--set", "collapse_sim.metrics=default").code == 0
    two, second = report(ready), values(ready)
    assert first.equals(second)
    for found in (one, two):
        del found["created_at"], found["config"]["run"]["workers"]
    assert one == two


def test_it_goes_on_where_it_was(ready: Path, call: Call) -> None:
    assert call("collapse-sim", "-c", ready, "-q").code == 0
    first, files = values(ready), [path for path in chain_files(ready) if path.suffix == ".npz"]
    assert len(files) == 6
    stamps = {path: path.stat().st_mtime_ns for path in files}
    files[0].unlink()
    ended = call("collapse-sim", "-c", ready)
    assert "5 of 6 chains were complete already" in ended.err
    assert values(ready).equals(first)
    assert {path: path.stat().st_mtime_ns for path in files[1:]} == {path: stamps[path] for path in files[1:]}
    # More chains cost only themselves, and leave those that are there as they are.
    ended = call("collapse-sim", "-c", ready, "--chains", "4")
    assert "6 of 8 chains were complete already" in ended.err
    assert values(ready).filter(pl.col("chain") < 4).equals(first)


def test_another_seed_or_table_runs_anew_and_clears_the_old_chains(ready: Path, call: Call) -> None:
    assert call("collapse-sim", "-c", ready, "-q").code == 0
    first = values(ready)
    ended = call("collapse-sim", "-c", ready, "--seed", "9")
    assert "complete already" not in ended.err
    assert not values(ready).equals(first)
    assert len({path.parent for path in chain_files(ready)}) == 1


def test_no_real_rows_stay_behind(ready: Path, call: Call) -> None:
    assert call("collapse-sim", "-c", ready, "-q").code == 0
    assert {path.suffix for path in chain_files(ready)} == {".npz", ".json"}


@pytest.mark.parametrize("kind", ["independent", "bootstrap"])
def test_the_holdout_is_never_learned(ready: Path, call: Call, kind: str) -> None:
    """Survival of categories looks at training part and outputs alone: another holdout changes nothing."""
    words = ["--synthesizer", kind, "--set", "collapse_sim.metrics=[category_survival, heterozygosity]", "-q"]
    assert call("collapse-sim", "-c", ready, *words).code == 0
    first = values(ready)
    holdout = ready.parent / "out" / "split" / "holdout.parquet"
    pl.read_parquet(holdout).with_columns(pl.col("x") * 3, kind=pl.lit("k00")).write_parquet(holdout)
    assert call("collapse-sim", "-c", ready, *words).code == 0
    assert values(ready).equals(first)


def test_the_search_for_the_least_share(ready: Path, call: Call) -> None:
    ended = call(
        "collapse-sim", "-c", ready, "--regime", "fresh", "--set", "collapse_sim.search_generations=6", "--json"
    )
    assert ended.code == 0, ended.err
    result = ended.document["result"]
    names = [arm["name"] for arm in result["arms"]]
    assert names[:2] == ["control", "replace"]
    least = result["minimum_fresh"]
    shares = [point["share"] for point in least["grid"]]
    assert shares == sorted(shares)
    assert 6 <= len(shares) <= 8
    assert shares[-1] == 0.9
    assert all(point["generations"] >= min(3 / point["share"], 6) - 1e-9 for point in least["grid"])
    assert all(share * 100 == pytest.approx(round(share * 100)) for share in shares)
    asked = {arm["name"]: arm["asked"] for arm in report(ready)["arms"]}
    assert not asked["replace"]
    assert result["answer"] == " ".join(result["answer"].split())


def test_named_shares_are_run_and_not_searched_around(ready: Path, call: Call) -> None:
    ended = call("collapse-sim", "-c", ready, "--fresh", "0.25", "--fresh", "0.5", "--fresh-rows", "10")
    assert ended.code == 0, ended.err
    found = report(ready)
    names = [arm["name"] for arm in found["arms"]]
    assert set(names) == {"control", "replace", "fresh 0.25", "fresh 0.5", "fresh 10 rows"}
    assert [point["rows"] for point in found["minimum_fresh"]["grid"]] == [10, 25, 50]
    assert "needs about 12 generations" in ended.err


def test_recycled_rows_are_said_aloud(ready: Path, call: Call) -> None:
    ended = call("collapse-sim", "-c", ready, "-n", "500", "--generations", "4")
    assert ended.code == 0, ended.err
    assert report(ready)["arms"][0]["recycled_from"] == 3  # some 700 rows beside the first 500
    assert "used again" in ended.out


@pytest.mark.parametrize(
    ("settings", "code", "status"),
    [
        (["max_verdict=collapsing", "margins={tvd: 0.9}"], 0, "pass"),
        (["max_verdict=stable", "margins={tvd: 0.9}"], 0, "pass"),
        (["max_verdict=stable", "margins={tvd: 0.0001}"], 1, "fail"),
    ],
)
def test_the_gate(ready: Path, call: Call, settings: list[str], code: int, status: str) -> None:
    words = [word for setting in settings for word in ("--set", f"collapse_sim.{setting}")]
    ended = call("collapse-sim", "-c", ready, *words, "--generations", "8", "--json")
    assert ended.code == code
    assert [gate["status"] for gate in report(ready)["gate"]] == [status]
    assert ended.document["status"] == ("ok" if code == 0 else "failed")


def test_an_undecided_regime_does_not_pass(ready: Path, call: Call) -> None:
    """Two chains cannot tell a change of 100 rows from a margin this narrow."""
    words = ["--set", "collapse_sim.max_verdict=degraded-plateau", "--set", "collapse_sim.margins={tvd: 0.02}"]
    ended = call("collapse-sim", "-c", ready, *words, "--chains", "2", "--regime", "accumulate")
    arm = report(ready)["arms"][-1]
    assert arm["verdict"] == "inconclusive"
    assert ended.code == 1
    if arm["settles"]["chains"] is not None:
        assert f"next: synthcli collapse-sim --chains {arm['settles']['chains']}" in ended.err


def test_a_least_share_that_is_too_great_fails(ready: Path, call: Call) -> None:
    words = ["--fresh", "0.5", "--fresh", "0.8", "--set", "collapse_sim.min_fresh_at_most=0.01"]
    ended = call("collapse-sim", "-c", ready, *words, "--set", "collapse_sim.margins={tvd: 0.00001}")
    assert ended.code == 1
    assert report(ready)["gate"][0]["rule"] == "min_fresh_at_most"


def test_a_dry_run_measures_one_generation_and_writes_nothing(ready: Path, call: Call) -> None:
    ended = call("collapse-sim", "-c", ready, "--dry-run", "--json", "--chains", "2", "--generations", "3")
    assert ended.code == 0, ended.err
    plan = ended.document["result"]["plan"]
    assert 0 < plan["seconds"]["low"] <= plan["seconds"]["likely"] <= plan["seconds"]["high"]
    assert plan["memory"]["likely"] > 1e7
    assert plan["arms"] == ["control", "replace"]
    assert any("3 generations are too few" in doubt for doubt in plan["doubts"])
    assert any("2 chains are too few" in doubt for doubt in plan["doubts"])
    assert not (ready.parent / "out" / "collapse-sim").exists()


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["-n", "5000"], 2, "take at most --rows"),
        (["--fresh-rows", "101"], 2, "more than the 100 of a generation"),
        (["--fresh", "30"], 2, "a share between 0 and 1"),
        (["--regime", "replaced"], 2, "replaced"),
        (["--chains", "1"], 2, "at least 2"),
        (["--generations", "1"], 2, "at least 2"),
        (["--workers", "0"], 2, "at least 1"),
        (["--synthesizer", "forrest"], 2, "forest"),
        (["--set", "collapse_sim.metrics=[tdv]"], 2, "did you mean 'tvd'?"),
        (["--set", "collapse_sim.metrics=[TVD]"], 2, "did you mean 'tvd'?"),
        (["--set", "collapse_sim.margins={rares: 0.1}"], 2, "no metric of a generation"),
        (["--set", "collapse_sim.metrics=[tstr]", "--set", "data.target=null"], 2, "none can be measured"),
        (["--set", "collapse_sim.regimes=[replace, replace]"], 2, "named twice"),
        (["--set", "collapse_sim.min_fresh_at_most=0.3"], 2, "needs the regime fresh"),
        (["--synthesizer", "bootstrap", "--set", "collapse_sim.temperature=0.9"], 2, "no sampling bias"),
        (["--synthesizer", "auto"], 2, "run `synthcli fit "),
        (["--out", "elsewhere"], 3, "run `synthcli split "),
    ],
)
def test_what_is_refused(ready: Path, call: Call, words: list[str], code: int, told: str) -> None:
    ended = call("collapse-sim", "-c", ready, *words)
    assert ended.code == code, ended.err
    assert told in ended.err
    assert not (ready.parent / "out" / "collapse-sim" / "report.json").exists()


def test_reserved_rows_are_refused(ready: Path, call: Call) -> None:
    ended = call("collapse-sim", "-c", ready, "--train", ready.parent / "out" / "split" / "holdout.parquet")
    assert ended.code == 3
    assert "reserved" in ended.err


def test_auto_takes_the_kind_that_was_chosen(ready: Path, call: Call) -> None:
    assert call("fit", "-c", ready, "--synthesizer", "independent", "-q").code == 0
    ended = call("collapse-sim", "-c", ready, "--synthesizer", "auto")
    assert ended.code == 0, ended.err
    assert "taking independent" in ended.err
    assert report(ready)["generator"]["kind"] == "independent"


def test_a_bias_makes_it_collapse(ready: Path, call: Call) -> None:
    """At a temperature of .5 an independent law squares its categories: the common ones take all."""
    words = ["--set", "collapse_sim.metrics=[heterozygosity]", "--set", "collapse_sim.temperature=0.5"]
    ended = call("collapse-sim", "-c", ready, *words, "--generations", "6", "--json")
    arm = ended.document["result"]["arms"][1]
    assert arm["verdict"] in ("collapsing", "degraded-plateau")


@pytest.mark.slow
def test_a_killed_run_goes_on(ready: Path, call: Call) -> None:
    """Killed between two chains, with two workers: the complete ones stay, and the end is what it would have been."""
    words = ["collapse-sim", "-c", str(ready), "-q", "--chains", "30", "--generations", "30", "--workers", "2"]
    process = subprocess.Popen([sys.executable, "-m", "synthcli", *words], start_new_session=True)
    deadline = time.monotonic() + 120
    while sum(path.suffix == ".npz" for path in chain_files(ready)) < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = sum(path.suffix == ".npz" for path in chain_files(ready))
    assert 5 <= kept < 60
    time.sleep(3)  # its workers end with it
    left = subprocess.run(["pgrep", "-g", str(process.pid)], capture_output=True, text=True, check=False)
    assert left.stdout == ""
    ended = call(*words[:3], *words[4:])
    assert f"{kept} of 60 chains were complete already" in ended.err
    resumed = values(ready)
    for path in chain_files(ready):
        path.unlink()
    assert call(*words).code == 0
    assert values(ready).equals(resumed)


def test_a_damaged_chain_is_run_again(ready: Path, call: Call) -> None:
    assert call("collapse-sim", "-c", ready, "-q").code == 0
    first, damaged = values(ready), next(path for path in chain_files(ready) if path.suffix == ".npz")
    damaged.write_bytes(damaged.read_bytes()[:300])
    ended = call("collapse-sim", "-c", ready)
    assert ended.code == 0, ended.err
    assert "a damaged chain of an earlier run" in ended.err
    assert values(ready).equals(first)


def test_a_second_run_in_the_same_directory_is_refused(ready: Path, call: Call) -> None:
    from synthcli.registry import lock

    with lock(ready.parent / "out" / "collapse-sim"):
        ended = call("collapse-sim", "-c", ready)
    assert ended.code == 75


def test_a_holdout_of_training_rows_is_refused(ready: Path, call: Call) -> None:
    split = ready.parent / "out" / "split"
    pl.read_parquet(split / "train.parquet").write_parquet(split / "holdout.parquet")
    ended = call("collapse-sim", "-c", ready)
    assert ended.code == 3
    assert "no holdout of that table" in ended.err


def test_a_search_alone_is_answered(ready: Path, call: Call) -> None:
    words = ["--regime", "fresh", "--set", "collapse_sim.search_generations=4"]
    ended = call("collapse-sim", "-c", ready, *words, "--json")
    assert ended.document["result"]["answer"].startswith("Trained on its own output alone, independent ")


def test_nothing_measured_stable_does_not_pass(ready: Path, call: Call) -> None:
    """The curve may cross the margin by luck; without a share that was shown to be stable the gate stays shut."""
    words = ["--fresh", "0.3", "--fresh", "0.6", "--chains", "2", "--set", "collapse_sim.min_fresh_at_most=0.9"]
    ended = call("collapse-sim", "-c", ready, *words, "--set", "collapse_sim.margins={tvd: 0.012}")
    assert report(ready)["minimum_fresh"]["share_safe"] is None
    assert ended.code == 1
