"""The JSON Schema of a configuration, for editors: what stands where, what it means, and what may be said.

It follows from the models. What it cannot say (how two keys stand to each other, whether an encoding is known, that
``7.0`` is no whole number) ``load`` refuses all the same.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import EnumSchema, ModelSchema, WithDefaultSchema

from synthcli.config.models import Config

#: What the schema is called beside the configuration that `init` writes.
FILE_NAME = ".synthcli.schema.json"


class _ForEditors(GenerateJsonSchema):
    """As pydantic does, but no titles, which repeat a key or name a class, and with the defaults of lists."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        return _untitled(super().model_schema(schema))

    def enum_schema(self, schema: EnumSchema) -> JsonSchemaValue:
        return _untitled(super().enum_schema(schema))

    def default_schema(self, schema: WithDefaultSchema) -> JsonSchemaValue:
        value = schema["default_factory"]() if "default_factory" in schema else None  # type: ignore[call-arg]
        plain = isinstance(value, dict) or (isinstance(value, list) and all(isinstance(item, str) for item in value))
        return super().default_schema({**schema, "default": value} if plain else schema)


def schema() -> dict[str, Any]:
    """Return the JSON Schema of a configuration."""
    found = Config.model_json_schema(schema_generator=_ForEditors)
    # A section whose keys are all commented out is null in YAML; it means the defaults.
    sections = {
        name: {"description": section.pop("description"), "anyOf": [section, {"type": "null"}]}
        for name, section in found["properties"].items()
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "synthcli configuration",
        **found,
        "properties": sections,
    }


def schema_text() -> str:
    """Return the schema as it is stored: beside a configuration, and as ``docs/config.schema.json``."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def editor_comment(path: str) -> str:
    """Return the comment in a configuration by which editors find the schema; ``path`` is relative to the file."""
    return f"# yaml-language-server: $schema={path}"


def _untitled(found: JsonSchemaValue) -> JsonSchemaValue:
    return {key: value for key, value in found.items() if key != "title"}
