"""docs/cron.md and docs/ci.md are true: what stands in their blocks is parsed, and run as cron and CI would run it."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from configparser import RawConfigParser
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from examples import ROOT
from pages import blocks, calls, parsed
from typer._click.exceptions import ClickException

from synthcli.app import COMMANDS, load_command
from synthcli.registry import aliases, lock

PAGES = {name: (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8") for name in ("cron", "ci")}
#: Where the pages' example lives; the tests move it.
PLACE = "/srv/flights"


# -- what the pages hold -----------------------------------------------------------------------------------------------

BLOCKS = [found._replace(page=name) for name in PAGES for found in blocks(f"docs/{name}.md")]


def block(page: str, language: str, holding: str = "") -> str:
    """Return the text of the one block of that kind."""
    [found] = [each.text for each in BLOCKS if (each.page, each.language) == (page, language) and holding in each.text]
    return found


def rows(page: str, first: str) -> list[list[str]]:
    """Return the body of the table whose first column has that title, cell by cell."""
    [table] = re.findall(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGES[page], re.M)
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table.splitlines()]


def quoted(text: str) -> list[str]:
    """Return what stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


# -- readers of what is in them ----------------------------------------------------------------------------------------

SPANS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}


def cron_job(line: str) -> tuple[dict[str, set[int]], str]:
    """Return when a line of a crontab runs, and the command; raises ``ValueError`` for what cron would not take."""
    *fields, words = line.split(None, 5)
    if len(fields) != len(SPANS):
        raise ValueError("not five fields and a command")
    if re.search(r"(?<!\\)%", words):
        raise ValueError("a bare % ends a command")
    return {name: _times(text, *SPANS[name]) for name, text in zip(SPANS, fields, strict=True)}, words


def _times(field: str, first: int, last: int) -> set[int]:
    """Return the values of a field: ``*``, numbers, ranges, each with a step, and lists of them."""
    found: set[int] = set()
    for part in field.split(","):
        match = re.fullmatch(r"(?:(\*)|(\d+)(?:-(\d+))?)(?:/(\d+))?", part)
        if match is None:
            raise ValueError(f"{part!r} is no part of a field")
        every, low, high, step = match.groups()
        if step is not None and (int(step) == 0 or (every is None and high is None)):
            raise ValueError(f"{part!r} has a step of nothing")
        start = first if every else int(low)
        stop = last if every else int(high or low)
        if not first <= start <= stop <= last:
            raise ValueError(f"{part!r} is not within {first} to {last}")
        found |= set(range(start, stop + 1, int(step or 1)))
    return found


def crontab(text: str) -> tuple[dict[str, str], list[str]]:
    """Return a crontab's variables and its commands."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    variables = dict(line.split("=", 1) for line in lines if re.match(r"[A-Z_]+=", line))
    return variables, [cron_job(line)[1] for line in lines if not re.match(r"[A-Z_]+=", line)]


def make(text: str, folder: Path, *words: str, code: int = 0, **variables: str) -> str:
    """Run ``make`` on a block in ``folder``, and return what it printed."""
    file = folder / "page.mk"
    file.write_text(text)
    environment = {"PATH": os.defpath, "HOME": str(folder), **variables}
    done = subprocess.run(
        ["make", "-f", str(file), *words], cwd=folder, env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


# -- the example, made small -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Home:
    """The pages' folder, elsewhere."""

    path: Path

    def here(self, text: str) -> str:
        """Return the text with the folder's place in it."""
        return text.replace(PLACE, str(self.path))

    @property
    def out(self) -> Path:
        """The output directory."""
        return self.path / "artifacts"

    def cron(self, holding: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run the crontab's line that holds ``holding`` as cron does: by ``sh``, with next to no environment."""
        found = [crontab(each.text) for each in BLOCKS if each.language == "crontab"]
        [(variables, line)] = [(named, line) for named, lines in found for line in lines if holding in line]
        path = self.here(variables.get("PATH", "/usr/bin:/bin"))
        return self.sh(self.here(line), PATH=f"{self.path / 'bin'}:{path}", **more)

    def sh(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script far from any folder of ours and from UTC, without a locale."""
        plain = {"PATH": f"{self.path / '.venv/bin'}:/usr/bin:/bin", "HOME": str(self.path), "TZ": "Asia/Tokyo"}
        return subprocess.run(
            ["sh", "-c", script], cwd="/", env={**plain, **environment}, text=True, capture_output=True, check=False
        )

    def configure(self, **sections: dict[str, Any]) -> None:
        """Change sections of the configuration file."""
        file = self.path / "synthcli.yaml"
        known = yaml.safe_load(file.read_text())
        changed = {name: {**known.get(name, {}), **section} for name, section in sections.items()}
        file.write_text(yaml.safe_dump({**known, **changed}))

    def write(self, name: str, table: pl.DataFrame) -> None:
        """Put a file among the source's."""
        table.write_csv(self.path / "data" / name)

    def install(self, first: str = "pass") -> None:
        """Put ``synthcli`` where the pages have it; ``first`` is a statement that it runs before everything else."""
        program = f"{first}\nfrom synthcli.__main__ import main\nmain()"
        file = self.path / ".venv" / "bin" / "synthcli"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f'#!/bin/sh\nexec {sys.executable} -c {shlex.quote(program)} "$@"\n')
        file.chmod(0o755)


def flights(first: int, number: int) -> pl.DataFrame:
    """Return so many of the sample's flights, as text."""
    table = pl.read_csv(ROOT / "sample_data" / "flights.csv", infer_schema=False)
    return table.slice(first, number)


def succeeded_quietly(done: subprocess.CompletedProcess[str]) -> bool:
    """Whether cron would send no mail, and would be right."""
    return (done.returncode, done.stdout, done.stderr) == (0, "", "")


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    """Return the one line that a failure says."""
    (line,) = done.stderr.splitlines()
    assert re.match(r"synthcli (refresh|status): \S", line)
    assert done.stdout == ""
    return line


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, subprocess.CompletedProcess[str]]:
    """Return the example after cron's first run, and how that ended."""
    home = Home(tmp_path_factory.mktemp("srv") / "flights")
    for name in ("data", "log", "bin"):
        (home.path / name).mkdir(parents=True)
    home.install()
    ssh = home.path / "bin" / "ssh"
    ssh.write_text('#!/bin/sh\nshift\nexec sh -c "$*"\n')  # the other machine is this one
    ssh.chmod(0o755)
    home.write("2013-01.csv", flights(0, 1500))
    (home.path / "synthcli.yaml").write_text(block("cron", "yaml"))
    (home.path / "Makefile").write_text(block("cron", "make"))
    gates = [{"metric": "privacy.dcr_share", "max": 0.6, "bound": "low"}, {"metric": "accuracy.univariate", "min": 0.5}]
    home.configure(
        synthesizer={"kind": "independent"},
        validate={"families": ["accuracy", "privacy"], "trivariate": False, "gates": gates},
        refresh={"seeds": 2, "sample": True, "after_promotion": []},
        run={"workers": 1},
    )
    return home, home.cron("refresh")


@pytest.fixture
def home(refreshed: tuple[Home, Any], tmp_path: Path) -> Home:
    """Return a copy of the example after its first run."""
    return Home(Path(shutil.copytree(refreshed[0].path, tmp_path / "flights")))


# -- every block is read by something ----------------------------------------------------------------------------------


def test_every_block_is_of_a_kind_that_is_read_here() -> None:
    assert {each.language for each in BLOCKS} == {"yaml", "sh", "crontab", "logrotate", "ini", "make"}
    assert {each.page for each in BLOCKS} == set(PAGES)


def test_no_line_of_prose_or_code_is_longer_than_120() -> None:
    lines = [line for text in PAGES.values() for line in text.splitlines() if not line.startswith("|")]
    assert max(map(len, lines)) <= 120


def test_what_the_pages_point_to_is_there() -> None:
    for text in PAGES.values():
        for target in re.findall(r"\]\(([^)#]+)", text):
            assert (ROOT / "docs" / target).exists()


@pytest.mark.parametrize("text", [each.text for each in BLOCKS if each.language == "sh"])
def test_shell_blocks_are_shell_and_call_what_there_is(text: str) -> None:
    assert subprocess.run(["sh", "-n"], input=text, text=True, check=False).returncode == 0
    assert [parsed(words) for words in calls(text)]


def test_commands_in_the_prose_are_commands() -> None:
    prose = [re.sub(r"^```.*?^```$", "", text, flags=re.M | re.S) for text in PAGES.values()]
    named = [words.split() for text in prose for words in quoted(text) if words.startswith("synthcli ")]
    values = {"gate": ["FILE"], "compare": ["A", "B"], "init": ["DATA"]}
    for _, name, *rest in named:
        parsed([name, *(rest or values.get(name, []))])
    assert {name for _, name, *_ in named} >= {"refresh", "status", "history", "prune", "sample", "validate"}


def test_options_and_settings_in_the_prose_are_known() -> None:
    from synthcli.config import Config

    options = {option for name in COMMANDS for each in load_command(name).params for option in each.opts}
    plain = Config().model_dump(by_alias=True)
    for text in PAGES.values():
        for words in quoted(text):
            assert set(re.findall(r"(?<!\S)--[a-z-]+", words)) <= options | {"--now"}, words
            key = re.match(r"(refresh|run|data|validate)\.([a-z_]+)\b(?!\.)", words)
            assert key is None or key[2] in plain[key[1]] or words.endswith((".json", ".html", ".xml", ".md")), words


def test_the_parser_refuses_what_there_is_not() -> None:
    with pytest.raises(ClickException):
        parsed(["status", "--no-such-option"])
    with pytest.raises(AssertionError):
        parsed(["refesh"])
    script = "x && a/synthcli status -q >>log || make synthcli; synthcli gate F # synthcli x"
    assert list(calls(script)) == [["status", "-q"], ["gate", "F"]]


# -- crontabs ----------------------------------------------------------------------------------------------------------


def test_a_crontab_s_line_by_hand() -> None:
    when, words = cron_job("5,10-30/10 */6 1 * 0-7  echo a  b")
    assert when["minute"] == {5, 10, 20, 30}
    assert (when["hour"], when["day"], when["month"]) == ({0, 6, 12, 18}, {1}, set(range(1, 13)))
    assert (when["weekday"], words) == (set(range(8)), "echo a  b")


@pytest.mark.parametrize(
    "line",
    ["60 * * * * x", "* 24 * * * x", "* * 0 * * x", "* * * 13 * x", "* * * * 8 x", "*/0 * * * * x", "5/2 * * * * x",
     "9-3 * * * * x", "1, * * * * x", "a * * * * x", "* * * * *", "0 3 * * * date +%F"],
)  # fmt: skip
def test_what_cron_would_not_take_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match=r"is|not|has|ends"):
        cron_job(line)


def test_the_crontabs_run_once_a_day_and_call_what_there_is() -> None:
    text = "".join(each.text for each in BLOCKS if each.language == "crontab")
    lines = [line for line in text.splitlines() if line[:1].isdigit()]
    assert len(lines) == 2
    for line in lines:
        when, words = cron_job(line)
        assert [len(when[name]) for name in SPANS] == [1, 1, 31, 12, 8]
        assert [parsed(call) for call in calls(words)] in (["refresh"], ["status"])


@pytest.mark.slow
def test_nights_that_end_well_are_silent(refreshed: tuple[Home, Any], home: Home) -> None:
    """The first promotion, a night without new data, and the alarm; from ``/``, far from UTC, without a locale."""
    assert succeeded_quietly(refreshed[1])
    assert aliases(home.out) == {"champion": 1}
    assert (home.out / "synthetic" / "synthetic.parquet").is_file()  # refresh.sample
    events = (home.out / "generators" / "events.jsonl").read_text()
    assert succeeded_quietly(home.cron("refresh"))
    assert succeeded_quietly(home.cron("refresh", LC_ALL="C"))
    assert succeeded_quietly(home.cron("status"))
    assert (home.out / "generators" / "events.jsonl").read_text() == events
    [promoted] = [event for line in events.splitlines() if (event := json.loads(line))["event"] == "promoted"]
    since = datetime.now(UTC) - datetime.fromisoformat(promoted["time"])
    assert promoted["time"].endswith("+00:00")
    assert timedelta(0) <= since < timedelta(hours=1)


@pytest.mark.slow
def test_status_has_the_pulse_that_the_page_names(home: Home) -> None:
    found = json.loads(home.sh(f"synthcli status --json -c {home.path}/synthcli.yaml").stdout)["result"]
    assert found["last_check"]["age_seconds"] >= 0
    assert found["last_healthy"]["age_seconds"] >= 0


# -- the table of messages ---------------------------------------------------------------------------------------------

#: Brings the trouble about; what it returns is held while the command runs.
Cause = Callable[[Home], AbstractContextManager[None] | None]


def _another_column(home: Home) -> None:
    home.write("2013-01.csv", flights(0, 1500).with_columns(gate=pl.lit("A1")))


def _another_file(home: Home) -> None:
    home.write("2013-02.csv", flights(1500, 500).with_columns(gate=pl.lit("A1")))


def _other_units(home: Home) -> None:
    metres = (pl.col("distance").cast(pl.Int64) * 1609).cast(pl.String)
    home.write("2013-02.csv", flights(1500, 1000).with_columns(metres))


def _sampled(home: Home) -> None:
    _recorded(home)
    (home.path / "data" / "2013-02.csv.lineage.json").unlink()


def _recorded(home: Home) -> None:
    file = home.path / "data" / "2013-02.csv"
    home.sh(f"synthcli sample -q -n 1500 --seed 3 --output {file} -c {home.path}/synthcli.yaml")
    assert file.is_file()


def _no_source(home: Home) -> None:
    (home.path / "data").rename(home.path / "elsewhere")


def _failing_gate(home: Home) -> None:
    home.configure(run={"seed": 8}, validate={"gates": [{"metric": "privacy.dcr_share", "max": 0.001}]})


def _worse(home: Home) -> None:
    home.configure(refresh={"margin": 0}, protection={"clip_extremes": 400})


def _held(home: Home) -> AbstractContextManager[None]:
    return lock(home.out)


def _full_disk(home: Home) -> None:
    home.install(
        "import errno, os, synthcli.artifacts as artifacts\n"
        "def full(path): raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "artifacts._sync = full"
    )
    home.configure(run={"seed": 8})


def _failing_command(home: Home) -> None:
    home.configure(run={"seed": 8}, refresh={"after_promotion": ["false"]})


def _old(home: Home) -> None:
    file = home.out / "generators" / "0001" / "manifest.json"
    created = datetime.now(UTC) - timedelta(days=8)
    file.write_text(json.dumps({**json.loads(file.read_text()), "created": created.isoformat(timespec="seconds")}))


def _damaged(home: Home) -> None:
    with (home.out / "generators" / "0001" / "schema.json").open("a") as file:
        file.write("\n")


#: By a message of the table: how it comes about, and the crontab's line that says it.
CAUSES: dict[str, tuple[Cause, str]] = {
    "column 'gate' is new; the champion stays": (_another_column, "refresh"),
    "2013-02.csv, line 1: not the columns of the first part": (_another_file, "refresh"),
    "the new rows look like another table's": (_other_units, "refresh"),
    "are synthetic rows that were sampled here": (_sampled, "refresh"),
    "on record as synthetic": (_recorded, "refresh"),
    "no file matches": (_no_source, "refresh"),
    "rejected: gates failed on the holdout": (_failing_gate, "refresh"),
    "rejected: it is worse than champion": (_worse, "refresh"),
    "another run (process 4711) is working in": (_held, "refresh"),
    "unexpected OSError": (_full_disk, "refresh"),
    "ended with exit code": (_failing_command, "refresh"),
    "champion 0002 is 8.0 days old, the limit is 7d": (_old, "status"),
    "the files of champion 0002 are not those that were published": (_damaged, "status"),
}
#: Those that take a refresh to its end.
LONG = {message for message, (cause, _) in CAUSES.items()
        if cause in (_other_units, _failing_gate, _worse, _failing_command)}  # fmt: skip
#: Those of which the next night says nothing.
ONCE = {message for message, (cause, _) in CAUSES.items()
        if cause in (_failing_gate, _worse, _failing_command, _held)}  # fmt: skip
#: Each row of the table of messages: what is said, the exit code, what brings it about.
TROUBLES = [
    pytest.param(told, int(code), *CAUSES[told[0]], id=told[0], marks=[pytest.mark.slow] if told[0] in LONG else [])
    for message, code, *_ in rows("cron", "message")
    if (told := quoted(message))
]


@pytest.mark.slow
@pytest.mark.parametrize(("told", "code", "cause", "line"), TROUBLES)
def test_each_message_comes_as_the_table_says(home: Home, told: list[str], code: int, cause: Cause, line: str) -> None:
    with cause(home) or nullcontext():
        done = home.cron(line)
    assert done.returncode == code, done.stderr
    said = one_line(done)
    patterns = [re.sub(r"\d+(\\\.\d)?", r"[\\d.]+", re.escape(each)) for each in told]
    assert any(re.search(pattern, said) for pattern in patterns), said
    assert aliases(home.out)["champion"] == (2 if cause is _failing_command else 1)
    assert not list(home.path.rglob("*.tmp*"))
    if code == 1 and line == "refresh":
        assert (home.out / "refresh" / "0002" / "decision.json").is_file()
        assert not (home.out / "generators" / "0002").exists()
    again = home.cron(line)
    assert succeeded_quietly(again) if told[0] in ONCE else (again.returncode, one_line(again)) == (code, said)


def test_every_cause_has_its_row() -> None:
    assert [quoted(message)[0] for message, *_ in rows("cron", "message")] == list(CAUSES)


@pytest.mark.slow
def test_a_damaged_champion_is_replaced_by_the_next_refresh(home: Home) -> None:
    _damaged(home)
    done = home.cron("refresh")
    assert (done.returncode, done.stdout) == (0, "")
    (warning,) = done.stderr.splitlines()  # a champion does not vanish in silence
    assert warning.startswith("warning: the champion is lost")
    assert aliases(home.out)["champion"] == 2
    assert succeeded_quietly(home.cron("status"))


# -- log, timer --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_script_logs_json_and_says_why_it_failed(home: Home) -> None:
    script = home.here(block("cron", "sh", "#!/bin/sh"))
    log = home.path / "log" / "refresh.jsonl"
    assert succeeded_quietly(home.sh(script))
    before = log.read_text().splitlines()
    assert before
    _no_source(home)
    failed = home.sh(script)
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (3, "", 1)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert json.loads(failed.stderr) == lines[-1]
    assert all({"time", "level", "command", "message"} <= set(line) for line in lines)
    assert (lines[-1]["level"], "hint" in lines[-1]) == ("error", True)


def test_the_rotation_is_of_the_files_that_are_written() -> None:
    comment, first, *directives, last = block("cron", "logrotate").splitlines()
    assert (comment[0], first[-1], last) == ("#", "{", "}")
    names = [line.split()[0] for line in directives]
    assert names == ["su", "monthly", "rotate", "compress", "missingok", "notifempty"]
    written = re.findall(r"log/[a-z]+\.([a-z]+)", block("cron", "sh", "#!/bin/sh") + block("cron", "yaml"))
    assert {f"{PLACE}/log/*.{ending}" for ending in written} == set(first.split()[:-1])


@pytest.mark.slow
def test_the_timer_runs_the_service_each_night_and_it_is_silent(home: Home) -> None:
    units = {}
    for text in (each.text for each in BLOCKS if each.language == "ini"):
        reader = RawConfigParser()
        reader.optionxform = str  # type: ignore[assignment,method-assign]
        reader.read_string(text)
        units[Path(text.splitlines()[0]).suffix] = (Path(text.splitlines()[0]).stem, reader)
    assert units[".service"][0] == units[".timer"][0] == "synthcli-refresh"
    service, timer = units[".service"][1], units[".timer"][1]
    assert (service["Service"]["Type"], timer["Install"]["WantedBy"]) == ("oneshot", "timers.target")
    assert re.fullmatch(r"\*-\*-\* ([01]\d|2[0-3]):[0-5]\d:[0-5]\d UTC", timer["Timer"]["OnCalendar"])
    assert succeeded_quietly(home.sh(home.here(service["Service"]["ExecStart"])))


# -- a promotion, a release, and back ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_promotion_publishes_a_release_and_can_be_taken_back(home: Home) -> None:
    hook = yaml.safe_load(block("cron", "yaml"))["refresh"]["after_promotion"]
    home.configure(refresh={"sample": False, "after_promotion": hook})
    home.write("2013-02.csv", flights(1500, 1000))
    assert succeeded_quietly(home.cron("refresh"))
    assert aliases(home.out) == {"champion": 2, "previous": 1}
    for path, _ in rows("cron", "path"):
        assert (home.out / quoted(path)[0]).exists()
    assert (home.out / "refresh" / "references" / "0002.npz").stat().st_mode & 0o077 == 0
    told = quoted(rows("cron", "path")[3][1])
    assert all((home.out / "refresh" / "0002" / name).is_file() for name in told)
    current = home.path / "release" / "current"
    assert {path.name for path in current.iterdir()} == {"synthetic.parquet", "report.json", "report.html"}
    assert current.resolve().name == "0002"
    assert "PASS" in (home.path / "log" / "release.txt").read_text()

    drawn = (home.out / "synthetic" / "synthetic.parquet").read_bytes()
    for line in home.here(block("cron", "sh", "rollback")).splitlines():
        done = home.sh(line)
        assert done.returncode == 0, (line, done.stderr)
    assert aliases(home.out) == {"champion": 1, "previous": 2}
    assert (home.out / "synthetic" / "synthetic.parquet").read_bytes() != drawn
    assert succeeded_quietly(home.cron("refresh"))
    assert aliases(home.out) == {"champion": 1, "previous": 2}


@pytest.mark.slow
def test_the_first_run_by_hand_shows_what_it_would_do(home: Home) -> None:
    shutil.rmtree(home.out)
    make, plan, run = home.here(block("cron", "sh", "--dry-run")).splitlines()
    assert home.sh(make).returncode == 0
    assert home.sh(plan).stdout.startswith("planned: would fit a first generator")
    assert not (home.out / "generators").exists()
    assert run == plan.replace("--dry-run", "--explain")


# -- Makefiles ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES)
def test_makefiles_call_what_there_is(page: str, tmp_path: Path) -> None:
    text = block(page, "make")
    targets = re.findall(r"^\.PHONY: (.*)$", text, re.M)[0].split()
    assert targets == re.findall(r"^([a-z]+):", text, re.M)
    found = {target: [parsed(words) for words in calls(make(text, tmp_path, "-n", target))] for target in targets}
    release = ["sample", "validate", "gate"]
    expected = {
        "cron": {"sample": release[:1], "validate": release[:2], "gate": release, "release": release},
        "ci": {"audit": ["validate"], "gate": ["gate"], "fresh": ["status"]},
    }
    assert found == expected[page]


@pytest.mark.slow
def test_the_makefile_for_ci_audits_gates_and_asks_for_the_age(home: Home) -> None:
    text, path = block("ci", "make"), f"{home.path / '.venv/bin'}:{os.defpath}"
    assert "Error 3" in make(text, home.path, "gate", code=2, PATH=path)
    assert "PASS" in make(text, home.path, "audit", "gate", PATH=path)
    assert "fresh" in make(text, home.path, "fresh", PATH=path)
    moved = shutil.copy(home.out / "synthetic" / "synthetic.parquet", home.path / "moved.parquet")
    report = f"REPORT={home.out}/validate/report.json"
    assert "PASS" in make(text, home.path, "gate", f"FILE={moved}", report, PATH=path)
    with Path(moved).open("ab") as file:
        file.write(b" ")
    assert "Error 1" in make(text, home.path, "gate", f"FILE={moved}", report, code=2, PATH=path)
    _old(home)
    assert "Error 1" in make(text, home.path, "fresh", code=2, PATH=path)
    assert "fresh" in make(text, home.path, "fresh", "MAX_AGE=9d", PATH=path)


# -- GitHub Actions ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workflow() -> dict[Any, Any]:
    """Return the workflow; ``on`` is what YAML 1.1 reads as true."""
    found = yaml.safe_load(block("ci", "yaml"))
    return {**found, "on": found[True]}


def test_the_workflow_has_what_github_needs(workflow: dict[Any, Any]) -> None:
    assert set(workflow["on"]) == {"pull_request", "schedule", "workflow_dispatch"}
    assert [set(entry) for entry in workflow["on"]["schedule"]] == [{"cron"}]
    cron_job(f"{workflow['on']['schedule'][0]['cron']} x")
    assert workflow["permissions"] == {"contents": "read"}
    jobs = workflow["jobs"]
    assert list(jobs) == [quoted(job)[0] for job, *_ in rows("ci", "job")]
    for job in jobs.values():
        assert set(job) <= {"if", "needs", "runs-on", "env", "steps"}
        assert job["runs-on"]
        assert {job.get("needs", "audit")} <= set(jobs)
        for step in job["steps"]:
            assert set(step) <= {"name", "if", "uses", "with", "run"}
            assert ("run" in step) != ("uses" in step)
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step.get("uses", "actions/none@v1"))


def test_no_fork_reaches_the_real_data_and_no_skipped_job_lets_it_through(workflow: dict[Any, Any]) -> None:
    real = {name for name, job in workflow["jobs"].items() if "real-data" in job["runs-on"]}
    assert real == {"audit", "fresh"}
    assert "head.repo.full_name == github.repository" in workflow["jobs"]["audit"]["if"]
    assert workflow["jobs"]["fresh"]["if"] == "github.event_name != 'pull_request'"
    assert "!cancelled()" in workflow["jobs"]["gate"]["if"]


def test_the_workflow_calls_what_there_is(workflow: dict[Any, Any]) -> None:
    found = {name: [parsed(words) for step in job["steps"] for words in calls(step.get("run", ""))]
             for name, job in workflow["jobs"].items()}  # fmt: skip
    assert found == {"audit": ["validate"], "gate": ["gate"], "fresh": ["status"]}


def test_synthcli_is_installed_as_the_readme_says_torch_first(workflow: dict[Any, Any]) -> None:
    [script] = [step["run"] for step in workflow["jobs"]["gate"]["steps"] if step.get("name", "").startswith("Install")]
    assert script.splitlines()[0] == "make -C synthcli install"
    assert "make install" in (ROOT / "README.md").read_text(encoding="utf-8")
    assert ".venv/bin" in script
    lines = re.findall(r"pip install .*", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert [line.split()[-1] for line in lines] == ["torch", "'.[dev,dask,s3]'"]


@pytest.mark.slow
def test_the_jobs_pass_from_one_to_the_next_what_they_need(home: Home, workflow: dict[Any, Any]) -> None:
    """The three jobs, step by step as a runner does it; artifacts are copied from one to the other."""
    released = home.path / "checkout" / "release" / "flights.parquet"
    released.parent.mkdir(parents=True)
    shutil.copy(home.out / "synthetic" / "synthetic.parquet", released)
    environment = {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(home.path / "temp")}
    jobs = workflow["jobs"]

    def ran(job: str, number: int, folder: str) -> subprocess.CompletedProcess[str]:
        scripts = [step["run"] for step in jobs[job]["steps"] if "run" in step]
        summary = str(home.path / f"{job}.md")
        script = f"cd {home.path}/{folder}\n{home.here(scripts[number])}"
        return home.sh(f"bash -e -c {shlex.quote(script)}", **environment, GITHUB_STEP_SUMMARY=summary)

    audited = ran("audit", 0, "checkout")
    assert audited.returncode == 0, audited.stderr
    [upload] = [step for step in jobs["audit"]["steps"] if "upload-artifact" in step.get("uses", "")]
    artifact = Path(upload["with"]["path"].replace("${{ runner.temp }}", environment["RUNNER_TEMP"]))
    written = {"report.json", "report.html", "summary.md", "junit.xml", "run.json"}
    assert {path.name for path in artifact.iterdir()} == written
    assert (home.path / "audit.md").read_text().strip() == (artifact / "summary.md").read_text().strip()
    assert upload["if"] == "always()"

    elsewhere = home.path / "elsewhere"
    shutil.copytree(home.path / "checkout", elsewhere)
    assert ran("gate", 1, "elsewhere").returncode == 3
    [download] = [step for step in jobs["gate"]["steps"] if "download-artifact" in step.get("uses", "")]
    assert download["with"]["name"] == upload["with"]["name"]
    shutil.copytree(artifact, elsewhere / download["with"]["path"])
    assert ran("gate", 1, "elsewhere").returncode == 0
    with (elsewhere / "release" / "flights.parquet").open("ab") as file:
        file.write(b" ")
    assert ran("gate", 1, "elsewhere").returncode == 1

    assert ran("fresh", 0, "elsewhere").returncode == 0
    _old(home)
    assert ran("fresh", 0, "elsewhere").returncode == 1


@pytest.mark.slow
def test_a_failed_audit_is_annotated_and_its_report_kept(home: Home, workflow: dict[Any, Any]) -> None:
    (home.path / "release").mkdir()
    split = home.out / "split" / "train.parquet"
    shutil.copy(split, home.path / "release" / "flights.parquet")  # real rows, passed off as synthetic ones
    script = home.here(next(step["run"] for step in workflow["jobs"]["audit"]["steps"] if "run" in step))
    done = home.sh(f"cd {home.path}; {script}", GITHUB_ACTIONS="true", RUNNER_TEMP=str(home.path / "temp"))
    assert done.returncode == 1
    assert re.search(r"^::error title=", done.stderr, re.M)
    assert (home.path / "temp" / "audit" / "validate" / "report.json").is_file()
