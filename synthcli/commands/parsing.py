"""What the parser of the command line refuses, in our own words: what was typed, what is expected, what is near.

The parser's errors are told by their names and attributes, since their classes belong to the library.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from synthcli.errors import UsageError
from synthcli.remote import shown

#: Sections that concern every command, beside the one that has its name.
_SHARED = ("data", "run")
_EXPECTED = {"int_parsing": "a whole number", "float_parsing": "a number", "bool_parsing": "true or false"}


def no_such_command(word: str, commands: Sequence[str]) -> UsageError:
    """Return the error about a first word that is no command; a table's name is what ``init`` is for."""
    from synthcli.config.suggest import nearest

    near = nearest(word, commands)
    if near is not None:
        hint = f"did you mean `synthcli {near}`?"
    elif Path(word).exists():
        hint = f"to begin with a table: synthcli init {word}"
    elif word == "help":
        hint = "run synthcli --help"
    else:
        hint = f"the commands: {', '.join(commands)}"
    return UsageError(f"{shown(word)}: no such command", hint)


def own_words(error: Any, command: str, owners: Callable[[str], Sequence[str]]) -> UsageError:
    """Return an error of the parser about ``command`` as one of ours; ``owners`` says which commands have an option."""
    context = error.ctx  # none where an option's value is missing
    kind, see = type(error).__name__, f"see synthcli {command} --help".replace("synthcli synthcli", "synthcli")
    if kind == "NoSuchOption":
        return UsageError(f"{error.option_name}: no such option", _meant(error.option_name, context, owners) or see)
    if kind == "MissingParameter":
        return UsageError(
            f"{_named(error.param)}: nothing given, expected {_about(error.param)}", _given(error.param, context)
        )
    if kind == "BadParameter" and error.param is not None:
        return _bad_value(error, see)
    if kind == "BadOptionUsage":
        problem = "takes no value" if "does not take" in error.message else "no value after it, expected one"
        return UsageError(f"{error.option_name}: {problem}", see)
    extra = re.search(r"unexpected extra argument\(s\) \((.*)\)", error.format_message())
    if extra is None:
        return UsageError(error.format_message(), see)
    words = shown(extra[1])
    return UsageError(f"{words}: more than {context.command_path} takes", _as_option(context, words))


def _meant(option: str, context: Any, owners: Callable[[str], Sequence[str]]) -> str:
    """Return which option is near, or else where ``option`` belongs: to other commands, or into the configuration."""
    from synthcli.config.keys import places_of
    from synthcli.config.suggest import nearest

    names = [name for parameter in context.command.params for name in parameter.opts if name.startswith("--")]
    near = nearest(option.lstrip("-"), [name.removeprefix("--") for name in names])
    if near is not None:
        return f"did you mean --{near}?"
    own = (*_SHARED, context.info_name.replace("-", "_"))
    keys = [key for key in places_of(option.lstrip("-").replace("-", "_")) if key.split(".")[0] in own]
    having = owners(option)
    told = [f"{option} is an option of {', '.join(having)}"] if having else []
    told += [f"--set {keys[0]}=VALUE sets {keys[0]}"] if keys else []
    return "; ".join(told)


def _bad_value(error: Any, see: str) -> UsageError:
    """Return the error about an option's value of the wrong type, or that is none of those there are."""
    from synthcli.config.explain import number_meant
    from synthcli.config.suggest import nearest, one_of

    named, text = _named(error.param), error.message.removeprefix("Value error, ")
    details = error.__cause__.errors()[0] if hasattr(error.__cause__, "errors") else {}
    choice = re.fullmatch(r"'(.*)' is not one of (.*)\.", text)
    if choice:
        options = re.findall("'([^']*)'", choice[2])
        near = nearest(choice[1], options)
        option = f"{named} " if named.startswith("--") else ""
        hint = f"write {option}{near}" if near is not None else see
        return UsageError(f"{named}: got {choice[1]!r}, expected {one_of(choice[1], options)}", hint)
    expected = _EXPECTED.get(details.get("type", ""))
    if expected is not None:
        number = number_meant(details["input"], expected)
        hint = see if number is None else f"write {named} {number}"
        return UsageError(f"{named}: got {details['input']!r}, expected {expected}", hint)
    if "ge" in details.get("ctx", {}):
        return UsageError(f"{named}: got {details['input']}, expected at least {details['ctx']['ge']}", see)
    return UsageError(f"{named}: {text}", see)


def _named(parameter: Any) -> str:
    """Return the option's long name, or the argument as the usage line has it."""
    long = [name for name in parameter.opts if name.startswith("--")]
    return str(long[0] if long else (parameter.metavar or parameter.name.upper()))


def _about(parameter: Any) -> str:
    """Return the parameter's help as part of a sentence."""
    text = str(parameter.help or "a value").rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _given(parameter: Any, context: Any) -> str:
    """Return how what is missing is given: an option with its value, an argument by the usage line."""
    named = _named(parameter)
    return f"write {named} {parameter.metavar or 'VALUE'}" if named.startswith("--") else _usage(context)


def _usage(context: Any) -> str:
    return re.sub("[{}]", "", " ".join(context.get_usage().split())).replace("Usage:", "usage:")


def _as_option(context: Any, word: str) -> str:
    """Return the option that takes a table, for a command that has no argument for one."""
    names = {name for parameter in context.command.params for name in parameter.opts}
    option = next((name for name in ("--train", "--synthetic", "--given") if name in names), None)
    return _usage(context) if option is None else f"a table is named with {option} {word}; {_usage(context)}"
