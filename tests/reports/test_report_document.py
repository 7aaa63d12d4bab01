"""The report's form: what goes in comes out again, contradictions are refused, the schema is published."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from examples import ROOT

from synthcli.config import Config, GateRule, as_plain
from synthcli.errors import BadTableError, MissingFileError
from synthcli.gate import judge
from synthcli.metrics.estimate import Estimate, not_measured
from synthcli.reports.document import json_schema, judged_again, read_report, report_document

TABLE = Estimate(
    "accuracy.univariate", "accuracy", 0.9, 0.88, 0.92, 100, "higher", (0.0, 1.0), reference=0.95, floor=0.0, seed=7
)
SIZE = Estimate("accuracy.univariate", "accuracy", 0.8, 0.7, 0.9, 100, "higher", (0.0, 1.0), reference=0.95,
                columns=("size",), seed=7)  # fmt: skip
CITY = Estimate("accuracy.univariate", "accuracy", 0.7, 0.6, 0.8, 100, "higher", (0.0, 1.0), reference=0.95,
                columns=("city",), seed=7)  # fmt: skip
PAIR = Estimate("accuracy.bivariate", "accuracy", 0.75, 0.7, 0.8, 100, "higher", (0.0, 1.0), reference=0.9,
                columns=("size", "city"), seed=7)  # fmt: skip
NOTHING = not_measured("validity.keys", "validity", "no key")
ALL = (TABLE, NOTHING, SIZE, CITY, PAIR)


def document(*rules: GateRule) -> dict:
    return report_document(
        ALL,
        judge(ALL, rules),
        kinds={"size": "numeric", "city": "categorical"},
        inputs={"synthetic": {"path": "s.csv", "rows": 100, "sha256": "0" * 64}},
        seed=7,
        config=as_plain(Config()),
        versions={"synthcli": "0"},
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    )


def stored(folder: Path, data: object) -> Path:
    path = folder / "report.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    return path


def test_estimates_come_out_of_the_file_as_they_went_in(tmp_path: Path) -> None:
    report = read_report(stored(tmp_path, document()))
    assert set(report.estimates()) == set(ALL)
    assert report.created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_columns_are_sorted_by_how_far_they_are_behind() -> None:
    parts = document()["columns"]
    assert [(part["name"], part["kind"], part["accuracy"]) for part in parts] == [
        ("city", "categorical", 0.7),
        ("size", "numeric", 0.8),
    ]
    assert [(part["a"], part["b"], part["accuracy"], part["reference"]) for part in document()["pairs"]] == [
        ("size", "city", 0.75, 0.9)
    ]


def test_other_gates_give_another_verdict() -> None:
    once = document(GateRule(metric="accuracy.univariate", min=0.5))
    assert once["verdict"] == "pass"
    again = judged_again(once, judge(ALL, [GateRule(metric="accuracy.univariate", min=0.95)]))
    assert again["verdict"] == "fail"
    assert again["metrics"] == once["metrics"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"verdict": "pass", "gates": [{**document(GateRule(metric="*", min=2))["gates"][0]}]}, "verdict is pass"),
        ({"created_at": "2026-13-01T00:00:00Z"}, "created_at"),
        ({"created_at": "2026-01-01T00:00:00"}, "created_at"),
        ({"metrics": [{**TABLE.to_dict(), "value": None}]}, "metrics"),
        ({"surplus": 1}, "surplus"),
    ],
)
def test_a_report_that_does_not_hang_together_is_refused(tmp_path: Path, change: dict, said: str) -> None:
    with pytest.raises(BadTableError, match=said):
        read_report(stored(tmp_path, {**document(), **change}))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"verdict": "pass"}'])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadTableError, match="not a whole report"):
        read_report(stored(tmp_path, text))


def test_a_report_that_is_not_there_is_a_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        with pytest.raises(MissingFileError):
            read_report(path)


def test_the_published_schema_is_the_forms_own() -> None:
    assert (ROOT / "docs" / "report.schema.json").read_text(encoding="utf-8") == json_schema()
