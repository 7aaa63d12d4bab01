"""``synthcli config``: the settings in force and where each comes from, and what a configuration may say."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from synthcli.commands.running import Outcome, Run, command

if TYPE_CHECKING:
    from rich.text import Text


@command
def config(
    run: Run,
    action: Annotated[
        Literal["show", "schema"],
        typer.Argument(
            metavar="ACTION",
            help="show: the settings, as YAML; schema: the JSON Schema of a configuration, for editors.",
        ),
    ],
    resolved: Annotated[
        bool, typer.Option("--resolved", help="show: every value in force, defaults too, and where each comes from.")
    ] = False,
) -> Outcome:
    """Show what was stated, or every value in force with where it comes from; or print the JSON Schema."""
    from synthcli.errors import UsageError

    if action == "show":
        return _show(run, resolved)
    if resolved:
        raise UsageError("--resolved goes with `config show`", "leave it out: there is one schema")
    from synthcli.config.json_schema import schema, schema_text

    if not run.json:
        sys.stdout.write(schema_text())
    return Outcome(None, schema())


def _show(run: Run, everything: bool) -> Outcome:
    from synthcli.config.showing import in_force, stated
    from synthcli.reports.settings import settings_text

    resolved = run.resolved(run__seed=run.seed)
    for key, place in resolved.set_aside.items():
        run.log.info(f"{place}: {key} is set aside: the kind of generator that was chosen does not have it")
    values = in_force(resolved) if everything else stated(resolved)
    origins = {key: place for key, place in resolved.origins.items() if everything or place != "default"}
    if not run.json:
        _print(settings_text(values, origins if everything else {}))
    return Outcome(None, {"config": values, "origins": origins})


def _print(text: Text) -> None:
    """Print to stdout as it is: no line is wrapped, and nothing but a terminal gets colours."""
    from rich.console import Console

    Console(file=sys.stdout, highlight=False, markup=False, emoji=False, soft_wrap=True).print(text)
