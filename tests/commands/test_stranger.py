"""A stranger's walk, from an empty folder to a gated release: nobody reads anything but what the commands print.

The tables are odd, and none that the project knows; the walk follows the printed ``next:`` lines, as typed in a shell.
"""

from __future__ import annotations

import csv
import os
import random
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sklearn import datasets

BIN = Path(sys.executable).parent
TOWNS = {"Köln": "050667", "Zürich": "008001", "São Paulo": "001000", "Kraków": "030001", "Łódź": "090001"}


def customers(rows: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield rows as a spreadsheet in a German office holds them, one customer each."""
    rng = random.Random(seed)
    for number in range(rows):
        town = rng.choices(list(TOWNS), [8, 6, 4, 3, 1])[0]
        age, member = int(min(95, max(18, rng.gauss(44, 16)))), rng.random() < 0.4
        spent = rng.lognormvariate(3 + 0.01 * age + 0.6 * member, 0.7)
        visits = int(rng.expovariate(1 / 4)) + 2 * member
        since = date(2021, 1, 1) + timedelta(days=int(rng.triangular(0, 1500, 1100)))
        yield {
            "Kunde Nr.": f"K-{100_000 * seed + 7 * number}",
            "PLZ": TOWNS[town],
            "Stadt": town,
            "Alter": age if rng.random() > 0.04 else "k. A.",
            "Mitglied?": "ja" if member else "nein",
            "Umsatz, €": f"{spent:.2f}".replace(".", ","),
            "Besuche": visits,
            "seit": since.strftime("%d.%m.%Y"),
            "Bemerkung": rng.choice(["", "", "", "=SUMME(A1)", 'ruft "morgen" an', "zahlt; spät"]),
            "Mandant": "01",
            "Abgang": "ja" if rng.random() < 0.08 + 0.25 * (spent > 60) + 0.2 * (visits < 2) else "nein",
        }


def spreadsheet(path: Path, rows: int = 4000, seed: int = 1) -> None:
    """Write them with semicolons, decimal commas, a byte order mark and CR LF."""
    table = list(customers(rows, seed))
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, table[0], delimiter=";")
        writer.writeheader()
        writer.writerows(table)


def tumours(path: Path) -> None:
    """Write scikit-learn's breast cancer table: 569 rows, 30 measures and a class."""
    datasets.load_breast_cancer(as_frame=True).frame.to_csv(path, index=False)


class Shell:
    """Types commands into a shell in one folder, and keeps all that they say."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.said = folder, ""
        home = folder.parent / "home"
        home.mkdir()
        kept = {"PYTHONPATH": os.environ["PYTHONPATH"]} if "PYTHONPATH" in os.environ else {}
        self.environment = {"PATH": f"{BIN}:{os.defpath}", "HOME": str(home), "LANG": "C.UTF-8", **kept}

    def type(self, line: str, code: int = 0) -> str:
        """Run a line, which must end with that code, and return what it said on stdout and stderr."""
        done = subprocess.run(
            ["sh", "-c", line], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        said = done.stdout + done.stderr
        assert done.returncode == code, f"{line}\n{said}"
        assert "Traceback" not in said, said
        self.said += said
        return said


def follow(shell: Shell, line: str) -> list[str]:
    """Run a line and whatever each command names as the next one; return them all."""
    walked: list[str] = []
    while line not in walked:
        said = shell.type(line)
        walked.append(line)
        for written in re.findall(r"^wrote [^:]+: (.+)$", said, re.M):
            assert (shell.folder / written).exists()
        following = re.findall(r"^next: (.+)$", said, re.M)
        if not following:
            break
        [line] = following
    return walked


@pytest.mark.slow
@pytest.mark.parametrize(("name", "write"), [("Kunden 2024.csv", spreadsheet), ("tumours.csv", tumours)])
def test_from_an_empty_folder_to_a_gated_release(tmp_path: Path, name: str, write: Callable[[Path], None]) -> None:
    folder = tmp_path / "ein neuer Ordner"
    folder.mkdir()
    shell = Shell(folder)
    write(folder / name)
    before = (folder / name).read_bytes()

    walked = follow(shell, f"synthcli init {shlex.quote(name)}")

    assert [words.split()[1] for words in walked][:5] == ["init", "split", "fit", "sample", "validate"]
    assert (folder / name).read_bytes() == before
    assert not list((tmp_path / "home").iterdir())
    assert {path.name for path in folder.iterdir()} == {name, "synthcli.yaml", ".synthcli.schema.json", "artifacts"}
    assert "PASS" in shell.said

    release(shell, tmp_path / "release")
    refreshed = shell.type("synthcli refresh -c synthcli.yaml")
    assert "skipped" in refreshed or "champion" in refreshed
    shell.type("synthcli status -c synthcli.yaml --fail-stale")


def release(shell: Shell, to: Path) -> None:
    """Hand the audited file on to where there is no real data: it is let through, and no other is."""
    to.mkdir()
    shell.type(f"cp artifacts/synthetic/synthetic.parquet artifacts/validate/report.json {shlex.quote(str(to))}")
    gate = f"synthcli gate {to}/synthetic.parquet --report {to}/report.json --max-age 7d"
    shell.type(gate)
    with (to / "synthetic.parquet").open("ab") as file:
        file.write(b"\0")
    assert "SHA-256" in shell.type(gate, 1)


@pytest.mark.slow
def test_the_same_table_months_later(tmp_path: Path) -> None:
    """More rows below those that were there: the generator is kept current, and an older one can come back."""
    folder = tmp_path / "büro"
    folder.mkdir()
    shell = Shell(folder)
    spreadsheet(folder / "kunden.csv", 2500)
    shell.type("synthcli init kunden.csv")
    shell.type("synthcli refresh -c synthcli.yaml")
    assert "skipped" in shell.type("synthcli refresh -c synthcli.yaml --json")
    spreadsheet(folder / "kunden.csv", 5000)
    assert '"promoted"' in shell.type("synthcli refresh -c synthcli.yaml --force --json")
    shell.type("synthcli history -c synthcli.yaml")
    shell.type("synthcli rollback -c synthcli.yaml")
    shell.type("synthcli sample -c synthcli.yaml -n 100 --format csv --output heute.csv")
    assert len((folder / "heute.csv").read_text(encoding="utf-8-sig").splitlines()) == 101
    shell.type("synthcli prune --keep 1 -c synthcli.yaml")
