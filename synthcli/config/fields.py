"""What every configuration model is built from: the frozen section, worded refusals, and the types of single values."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WithJsonSchema,
    WrapValidator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, InitErrorDetails, PydanticCustomError
from pydantic_core.core_schema import no_info_before_validator_function

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


def text_like(pattern: str, *examples: str) -> WithJsonSchema:
    """Return what the JSON Schema says of text that a function above judges: as much of it as a pattern can."""
    return WithJsonSchema({"type": "string", "pattern": pattern, "examples": list(examples)})


Address = Annotated[str, AfterValidator(_address), text_like("^(tcp|tls|ws|wss)://.", "tcp://127.0.0.1:8786")]
Duration = Annotated[
    str,
    AfterValidator(_duration),
    expected("a whole number and a unit, e.g. 7d, 12h or 30m"),
    text_like("^[0-9]*[1-9][0-9]*[dhm]$", "7d", "12h", "30m"),
]
Instant = Annotated[
    str,
    AfterValidator(_instant),
    expected("a date or time in ISO 8601, e.g. 2013-09-01"),
    text_like("^[0-9]{4}-?(W[0-9]{2}|[0-9]{2}-?[0-9]{2})", "2013-09-01", "2013-09-01T12:00"),
]
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


@dataclass(frozen=True, slots=True, eq=False)
class ByKind:
    """A section of one of several kinds: judged by the model in ``kinds`` that its key ``kind`` names.

    pydantic's own discriminated union would do, but needs two members and words its errors for programmers. In the JSON
    Schema every kind is a condition and not an alternative, so that an editor says what is wrong with the kind at hand
    instead of what each of them would have wanted.
    """

    kinds: Mapping[str, type[Section]]
    default: str | None
    spelled_out: Callable[[Any], Any] | None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Judge by kind before the union of all kinds sees it."""
        return no_info_before_validator_function(self._judged, handler(source))

    def __get_pydantic_json_schema__(self, union: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Say which keys go with which kind."""
        models = dict(zip(self.kinds, handler(union)["anyOf"], strict=True))
        kind: JsonSchemaValue = {"enum": list(models), "description": "The kind, which says what other keys there are."}
        cases: list[JsonSchemaValue] = [
            {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": model}
            for name, model in models.items()
        ]
        if self.default is not None:
            kind["default"] = self.default
            cases.append({"if": {"not": {"required": ["kind"]}}, "then": models[self.default]})
        required = {"required": ["kind"]} if self.default is None else {}
        section = {"type": "object", "properties": {"kind": kind}, **required, "allOf": cases}
        return section if self.spelled_out is None else {"anyOf": [{"enum": list(models)}, section]}

    def _judged(self, value: Any) -> Any:
        value = value if self.spelled_out is None else self.spelled_out(value)
        if isinstance(value, tuple(self.kinds.values())):
            return value
        kind = value.get("kind", self.default) if isinstance(value, dict) else self.default
        if isinstance(kind, str) and kind in self.kinds:
            return self.kinds[kind].model_validate(value)
        error = InitErrorDetails(type=expectation(one_of(kind, self.kinds)), loc=("kind",), input=kind)
        raise ValidationError.from_exception_data("kind", [error])


def by_kind(
    kinds: Mapping[str, type[Section]],
    default: str | None = None,
    spelled_out: Callable[[Any], Any] | None = None,
) -> ByKind:
    """Return what makes of a union of sections the one whose kind is named.

    Parameters
    ----------
    kinds
        By name, the union's members in their order.
    default
        The kind of a section that names none; ``None``: it has to.
    spelled_out
        Makes a section of what may stand in its place, the name of a kind alone.
    """
    return ByKind(kinds, default, spelled_out)
