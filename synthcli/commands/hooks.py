"""Commands that follow a promotion: run one after the other, heard line by line, told what there is.

What is said of one names its program and its place in the list alone: logs and results are handed on, and arguments may
be secret.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from synthcli.commands.running import Outcome, Run
from synthcli.config import Config
from synthcli.errors import EngineError
from synthcli.registry import record


def with_hooks(run: Run, settings: Config, ended: Outcome) -> Outcome:
    """Run the commands that follow a promotion, after the lock was given back, so that they may use the directory."""
    document, out = dict(ended.result), Path(settings.run.output_dir)
    told = {
        "SYNTHCLI_VERSION": f"{document['version']:04d}",
        "SYNTHCLI_PREVIOUS": "" if document["previous"] is None else f"{document['previous']:04d}",
        "SYNTHCLI_OUT": str(out.absolute()),
        "SYNTHCLI_REPORT": str(Path(document["report"]).absolute()) if document["report"] else "",
    }
    where = run.config_file.absolute().parent if run.config_file else Path.cwd()
    for number, line in enumerate(settings.refresh.after_promotion):
        words, started = shlex.split(line), time.monotonic()
        with run.log.phase(f"run {words[0]}"):
            done = _followed(run, words, where, {**os.environ, **told})
        seconds = round(time.monotonic() - started, 3)
        document["hooks"] = [*document["hooks"], {"command": words[0], "exit_code": done, "seconds": seconds}]
        moment = datetime.now(UTC).isoformat(timespec="seconds")
        record(out, {"time": moment, "event": "hook", "version": document["version"], "exit_code": done,
                     "seconds": seconds})  # fmt: skip
        if done:
            raise EngineError(
                f"refresh.after_promotion[{number}] ({words[0]}) ended with exit code {done}; version "
                f"{document['version']:04d} is champion all the same",
                "run the command by hand; SYNTHCLI_VERSION, SYNTHCLI_OUT and SYNTHCLI_REPORT were set for it",
            )
    return replace(ended, result=document)


def _followed(run: Run, words: Sequence[str], where: Path, environment: Mapping[str, str]) -> int:
    """Run a command, log what it says line by line, and return its exit code; 127 where it cannot be started."""
    try:
        with subprocess.Popen(
            words, cwd=where, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, encoding="utf-8", errors="replace",
        ) as process:  # fmt: skip
            try:
                for line in process.stdout or ():
                    run.log.info(line.rstrip().expandtabs())
                return process.wait()
            except BaseException:  # interrupted: the command goes too
                process.terminate()
                raise
    except OSError:
        return 127
