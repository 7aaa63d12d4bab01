"""What every configuration model is built from: the frozen section, worded refusals, and the types of single values."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from synthcli.config.suggest import one_of

#: The largest seed, that of a signed 64-bit integer; the same as ``synthcli.seeds.MAX_SEED``.
MAX_SEED = 2**63 - 1


class Section(BaseModel):
    """A part of the configuration: immutable, no unknown keys, no silent conversion of one type into another."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def expected(phrase: str) -> WrapValidator:
    """Return a validator that words any refusal of the type it annotates as ``expected <phrase>``."""

    def check(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        try:
            return handler(value)
        except ValidationError:
            raise expectation(phrase) from None

    return WrapValidator(check)


def expectation(phrase: str) -> PydanticCustomError:
    """Return the error ``expected <phrase>``; the value that was got is added where the message is written."""
    return PydanticCustomError("expected", "expected {expected}", {"expected": phrase})


def refusal(reason: str) -> PydanticCustomError:
    """Return an error about how values stand to each other, for which naming the value got would say nothing."""
    return PydanticCustomError("refused", "{reason}", {"reason": reason})


def _known_codec(name: str) -> str:
    try:
        codecs.lookup(name)
    except LookupError as error:
        raise ValueError(name) from error
    return name


def _instant(text: str) -> str:
    datetime.fromisoformat(text)
    return text


_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def duration(text: str) -> timedelta:
    """Return the time that ``text`` means, a whole number above 0 and d, h or m; raises ``ValueError``."""
    number, unit = text[:-1], text[-1:]
    if unit not in _UNITS or not number.isascii() or not number.isdecimal() or not number.strip("0"):
        raise ValueError("no whole number and a unit")
    try:
        return timedelta(**{_UNITS[unit]: int(number)})
    except OverflowError as error:
        raise ValueError("longer than can be reckoned with") from error


def _duration(text: str) -> str:
    duration(text)
    return text


#: What the address of a cluster's scheduler begins with.
CLUSTER_SCHEMES = ("tcp://", "tls://", "ws://", "wss://")


def _address(text: str) -> str:
    if not text.startswith(CLUSTER_SCHEMES) or text in CLUSTER_SCHEMES:
        raise ValueError("no address of a scheduler")
    return text


Address = Annotated[str, AfterValidator(_address)]
Duration = Annotated[str, AfterValidator(_duration), expected("a whole number and a unit, e.g. 7d, 12h or 30m")]
Instant = Annotated[str, AfterValidator(_instant), expected("a date or time in ISO 8601, e.g. 2013-09-01")]
Share = Annotated[float, Field(gt=0, lt=1), expected("a share between 0 and 1, e.g. 0.2")]
Probability = Annotated[float, Field(gt=0, lt=1), expected("a probability between 0 and 1, e.g. 0.001")]
Seed = Annotated[int, Field(ge=0, le=MAX_SEED), expected("a whole number from 0 to 2^63 - 1")]
Positive = Annotated[int, Field(gt=0), expected("a whole number of at least 1")]
Count = Annotated[int, Field(ge=0), expected("a whole number of at least 0")]
PathText = Annotated[str, Field(min_length=1), expected("a path")]
Character = Annotated[
    str,
    Field(min_length=1, max_length=1),
    expected('one character (a tab is written "\\t", in double quotes)'),
]
Codec = Annotated[str, AfterValidator(_known_codec), expected("a text encoding, e.g. utf-8 or cp1252")]


def by_kind(kinds: Mapping[str, type[Section]], default: str | None = None) -> BeforeValidator:
    """Return a validator of a section by the model in ``kinds`` that its key ``kind`` names.

    pydantic's own discriminated union would do, but needs two members and words its errors for programmers.
    """

    def check(value: Any) -> Any:
        if isinstance(value, tuple(kinds.values())):
            return value
        kind = value.get("kind", default) if isinstance(value, dict) else default
        if isinstance(kind, str) and kind in kinds:
            return kinds[kind].model_validate(value)
        error = InitErrorDetails(type=expectation(one_of(kind, kinds)), loc=("kind",), input=kind)
        raise ValidationError.from_exception_data("kind", [error])

    return BeforeValidator(check)
