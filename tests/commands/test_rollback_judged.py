"""``rollback`` says how the version was judged, and no more than is known."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from examples import mixed_table

from synthcli.app import run
from synthcli.config import Config, GateRule, as_plain
from synthcli.gate import judge
from synthcli.metrics.estimate import Estimate
from synthcli.registry import record
from synthcli.reports.document import report_document

SCORE = Estimate("accuracy.univariate", "accuracy", 0.9, 0.88, 0.92, 100, "higher", (0.0, 1.0), reference=0.95)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an output directory with one version, which no refresh has seen."""
    folder = tmp_path_factory.mktemp("fitted")
    mixed_table(400, 1).write_csv(folder / "data.csv")
    out = str(folder / "out")
    assert run(["split", str(folder / "data.csv"), "--out", out, "-q"]) == 0
    assert run(["fit", "--synthesizer", "independent", "--out", out, "-q"]) == 0
    return Path(out)


def audited(out: Path, minimum: float, generator: str = "0001", age: timedelta = timedelta()) -> str:
    """Store an audit of a version, which fails where ``minimum`` is more than 0.9; return its path."""
    where = out / "validate" / "report.json"
    where.parent.mkdir(exist_ok=True)
    document = report_document(
        [SCORE],
        judge([SCORE], [GateRule(metric="accuracy.univariate", min=minimum)]),
        kinds={},
        inputs={"synthetic": {"path": "s.csv", "rows": 1, "sha256": None, "generator": generator}},
        seed=0,
        config=as_plain(Config()),
        versions={},
        created_at=datetime.now(UTC) - age,
    )
    where.write_text(json.dumps(document))
    return str(where)


def said(call: Any, out: Path, *more: str) -> list[str]:
    """Return what a rollback says of the version, and hears no difference in a dry run."""
    found, rehearsed = (call("rollback", "1", "--out", out, *words) for words in (more, ("--dry-run", *more)))
    assert (found.code, rehearsed.code) == (0, 0)
    lines = [[line for line in each.err.splitlines() if "version 0001: " in line] for each in (found, rehearsed)]
    assert lines[0] == lines[1]
    return lines[0]


def test_a_failed_audit_of_the_version_is_a_warning(call: Any, fitted: Path) -> None:
    where = audited(fitted, 0.95)
    told = f"warning: version 0001: its audit failed: accuracy.univariate ({where}), no refresh promoted it"
    assert said(call, fitted) == [told]
    assert said(call, fitted, "-q") == [told]


def test_an_audit_that_passed_is_said_and_warns_of_nothing(call: Any, fitted: Path) -> None:
    where = audited(fitted, 0.5)
    (line,) = said(call, fitted)
    assert line.endswith(f"version 0001: no refresh promoted it, its audit passed ({where})")
    assert "warning" not in line


@pytest.mark.parametrize("of", [{"generator": "0002"}, {"generator": "0001, 0002"}, {"age": timedelta(days=1)}])
def test_an_audit_of_another_version_is_none_of_this_one(call: Any, fitted: Path, of: dict[str, Any]) -> None:
    where = audited(fitted, 0.95, **of)
    told = f"warning: version 0001: no refresh promoted it, and {where} tells of no audit of it"
    assert said(call, fitted) == [told]
    Path(where).unlink()
    assert said(call, fitted) == [told]


def test_of_a_version_that_a_refresh_promoted_a_failed_audit_is_said_still(
    call: Any, fitted: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(fitted, out)
    record(out, {"event": "promoted", "version": 1})
    (out / "validate" / "report.json").unlink(missing_ok=True)
    assert said(call, out) == []
    where = audited(out, 0.95)
    assert said(call, out) == [f"warning: version 0001: its audit failed: accuracy.univariate ({where})"]
