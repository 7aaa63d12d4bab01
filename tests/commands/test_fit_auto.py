"""``fit`` with ``kind: auto``: the best candidate is published as if named, without a look at the holdout."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from examples import mixed_table

from synthcli.app import run
from synthcli.synthesizers import KINDS

COPULA = "{kind: gaussian_copula, marginals: empirical}"
AUTO = f"kind: auto, candidates: [{COPULA}, {{kind: gaussian_copula, default_distribution: uniform}}]"


@pytest.fixture(scope="session")
def chosen_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which a kind was chosen and fitted, while no holdout could be read."""
    folder = tmp_path_factory.mktemp("auto")
    mixed_table(800, seed=4).write_csv(folder / "t.csv")
    (folder / "c.yaml").write_text(
        f"data: {{path: t.csv, target: late}}\nsynthesizer: {{{AUTO}}}\nrun: {{output_dir: out}}\n"
    )
    words = ["-c", str(folder / "c.yaml"), "-q"]
    assert run(["split", *words]) == 0
    holdout = folder / "out" / "split" / "holdout.parquet"
    kept = holdout.read_bytes()
    holdout.write_bytes(b"nothing to read here")
    assert run(["fit", *words]) == 0
    holdout.write_bytes(kept)
    return folder


@pytest.fixture
def folder(chosen_run: Path, tmp_path: Path) -> Path:
    """A copy of that folder that a test may change."""
    return Path(shutil.copytree(chosen_run, tmp_path / "auto"))


def manifest(folder: Path, number: int = 1) -> dict[str, Any]:
    return json.loads((folder / "out" / "generators" / f"{number:04d}" / "manifest.json").read_text())


def test_the_manifest_has_the_best_kind_and_the_leaderboard(chosen_run: Path) -> None:
    published = manifest(chosen_run)
    rows = published["selection"]["leaderboard"]
    (best,) = [row for row in rows if row["best"]]
    assert best["score"] == max(row["score"] for row in rows if row["status"] == "scored")
    assert (published["kind"], published["parameters"]) == (best["kind"], best["parameters"])
    assert published["train"]["rows"] == sum(
        published["selection"][f"{part}_rows"] for part in ("fitting", "validation")
    )


def test_what_is_published_is_what_naming_the_kind_gives(call, folder: Path) -> None:
    published = manifest(folder)
    (best,) = [row for row in published["selection"]["leaderboard"] if row["best"]]
    named = json.dumps({"kind": best["kind"], **best["parameters"]})
    assert call("fit", "-c", folder / "c.yaml", "--set", f"synthesizer={named}", "-q").code == 0
    again = manifest(folder, 2)
    assert again["selection"] is None
    assert {name: file["sha256"] for name, file in again["files"].items()} == {
        name: file["sha256"] for name, file in published["files"].items()
    }


def test_an_unchanged_choice_is_skipped_and_shown_again(call, folder: Path) -> None:
    ended = call("fit", "-c", folder / "c.yaml")
    assert "skipped" in call("fit", "-c", folder / "c.yaml", "--json").document["status"]
    assert "best: the highest score" in " ".join(ended.out.split())
    assert "#2: gaussian_copula (default_distribution uniform" in " ".join(ended.out.split())
    document = call("fit", "-c", folder / "c.yaml", "--json").document
    assert document["result"]["leaderboard"] == manifest(folder)["selection"]["leaderboard"]


@pytest.mark.parametrize("key", ["data.target=grade", "validate.secrets=[city]", "synthesizer.max_minutes=3"])
def test_what_the_choice_depends_on_makes_another_one(call, folder: Path, key: str, monkeypatch) -> None:
    from synthcli.synthesizers.sdv import GaussianCopula

    def fit(*_: object) -> None:
        raise RuntimeError("it is fitted again")

    monkeypatch.setattr(GaussianCopula, "fit", fit)
    assert call("fit", "-c", folder / "c.yaml", "--set", key).code == 4


def test_a_dry_run_names_the_candidates(call, folder: Path) -> None:
    ended = call("fit", "--synthesizer", "auto", "--out", folder / "out", "--seed", 9, "--dry-run", "--json")
    assert ended.code == 0
    told = ended.document["result"]["plan"]["would fit"]
    assert told == "the best of gaussian_copula, forest, tried for at most 10 minutes"


def test_sample_and_validate_take_the_configuration(call, folder: Path) -> None:
    assert call("sample", "-c", folder / "c.yaml", "--seed", 1, "-q").code == 0
    assert call("validate", "-c", folder / "c.yaml", "--fail-on", "never", "-q").code == 0


def test_where_all_leak_nothing_is_published(call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "forest", "synthcli.synthesizers.baselines:Bootstrap")
    words = ["--set", "synthesizer.candidates=[forest]", "--json"]
    ended = call("fit", "-c", folder / "c.yaml", *words)
    assert ended.code == 1
    assert ended.document["error"]["kind"] == "gate"
    assert "privacy." in ended.document["error"]["message"]
    assert not (folder / "out" / "generators" / "0002").exists()


def test_a_candidate_that_fails_is_a_warning(call, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from synthcli.errors import EngineError
    from synthcli.synthesizers.baselines import Bootstrap

    def fit(*_: object) -> None:
        raise EngineError("no such luck")

    monkeypatch.setattr(Bootstrap, "fit", fit)
    monkeypatch.setitem(KINDS, "forest", "synthcli.synthesizers.baselines:Bootstrap")
    ended = call("fit", "-c", folder / "c.yaml", "--set", f"synthesizer.candidates=[forest, {COPULA}]", "--json")
    assert ended.code == 0
    assert "forest was not judged: no such luck" in ended.document["warnings"]
    assert [row["status"] for row in ended.document["result"]["leaderboard"]] == ["failed", "scored"]


def test_a_manifest_from_before_there_was_a_choice_is_read(chosen_run: Path, tmp_path: Path) -> None:
    from synthcli.registry import read

    old = {key: value for key, value in manifest(chosen_run).items() if key != "selection"}
    (tmp_path / "manifest.json").write_text(json.dumps(old))
    assert read(tmp_path).manifest.selection is None
