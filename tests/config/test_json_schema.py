"""The JSON Schema for editors: its stored copy, its agreement with the models, the configurations of the project."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from examples import ROOT
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from synthcli.config import Config, load, schema
from synthcli.config.document import key_text, parse
from synthcli.config.generators import KINDS
from synthcli.config.json_schema import editor_comment, schema_text
from synthcli.config.keys import settable
from synthcli.errors import ConfigError

VALIDATOR = Draft202012Validator(schema())
CONFIGS = sorted((ROOT / "configs").glob("*.yaml"))
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)

#: Values of every type, some of which every key refuses.
PROBES = (
    *(None, True, 0, 1, -1, 2, 12, 0.5, 1.5, -0.5, 100, 2**63),
    *("", "a", "utf-8", "auto", "7d", "0d", "2013-09-01", "hash", "forest"),
    *([], ["a"], [""], [1], [0.5], ["replace"], [{"kind": "forest"}], [{"metric": "a", "min": 1}], [{"metric": ""}]),
    *({}, {"a": 0.5}, {"a": {"type": "id"}}, {"a": "norm"}, {"a": [1]}),
)


def as_json(value: Any) -> Any:
    """Return what YAML holds as JSON names it: its keys are text."""
    if isinstance(value, dict):
        return {key_text(key): as_json(below) for key, below in value.items()}
    return [as_json(item) for item in value] if isinstance(value, list) else value


def schema_accepts(text: str) -> bool:
    return VALIDATOR.is_valid(as_json(parse(text.encode(), "a.yaml").data))


def blocks() -> list[Any]:
    """Return every block of YAML in the documentation whose keys are sections of a configuration."""
    files = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    texts = [(file.name, text) for file in files for text in BLOCK.findall(file.read_text(encoding="utf-8"))]
    sections = schema()["properties"].keys()
    found = [(name, text, set(re.findall(r"^(\w+):", text, re.MULTILINE))) for name, text in texts]
    return [pytest.param(text, id=name) for name, text, keys in found if keys and keys <= sections]


def test_the_stored_copy_is_the_schema() -> None:
    assert (ROOT / "docs" / "config.schema.json").read_text(encoding="utf-8") == schema_text()


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_documentation_shows_configurations() -> None:
    assert len(blocks()) >= 6


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.name)
def test_every_configuration_of_the_project_fits_the_schema_and_names_it_for_editors(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    first = text.splitlines()[0]
    assert first == editor_comment("../docs/config.schema.json")
    assert (file.parent / first.partition("$schema=")[2]).is_file()
    assert schema_accepts(text)
    load(file)


@pytest.mark.parametrize("text", blocks())
def test_every_block_of_the_documentation_fits_the_schema(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    load(tmp_path / "a.yaml")
    assert schema_accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "data:\n",
        "split: {holdout: 1e-1, method: time, since: 2013-09-01}",
        "synthesizer: {kind: auto, candidates: [forest, {kind: ctgan, epochs: 3}]}",
        "synthesizer: {default_distribution: norm}",
        "augment: {synthesizer: {trees: 7}, shares: {true: 0.5, 3: 0.2}}",
        "data: {columns: {yes: {type: id}}, missing: null}",
        "run: {workers: 'tls://scheduler:8786'}",
        "refresh: {max_age: 07d, margin: 0, drift: {psi: null}}",
        "collapse_sim: {metrics: default, regimes: [fresh, accumulate-subsample]}",
    ],
)
def test_what_is_right_passes_both(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    load(tmp_path / "a.yaml")
    assert schema_accepts(text)


@pytest.mark.parametrize(
    "text",
    [
        "splti: {}",
        "split: {holdot: 0.2}",
        "split: {holdout: 20}",
        "split: {holdout: '0.2'}",
        "split: {method: hsh}",
        "split: {since: September}",
        "split: [holdout]",
        "data: {path: []}",
        "data: {path: ['']}",
        "data: {columns: {a: {kind: id}}}",
        "data: {columns: {a: {}}}",
        "data: {delimiter: ab}",
        "data: {constraints: [{kind: range, low_column_name: a}]}",
        "data: {constraints: [{column_names: [a, b]}]}",
        "data: {constraints: [{kind: one_hot, column_names: [a]}]}",
        "protection: {clip_extremes: -1}",
        "synthesizer: {kind: gauss}",
        "synthesizer: {kind: forest, epochs: 3}",
        "synthesizer: {trees: 3}",
        "synthesizer: {kind: ctgan, generator_dim: []}",
        "synthesizer: {kind: auto, candidates: [auto]}",
        "synthesizer: {kind: auto, candidates: [{kind: forest, tres: 3}]}",
        "synthesizer: {kind: auto, candidates: [{trees: 3}]}",
        "sample: {rows: 0}",
        "sample: {seed: 9223372036854775808}",
        "sample: {reject_training_matches: 1}",
        "augment: {synthesizer: {kind: auto}}",
        "augment: {shares: {true: 50}}",
        "augment: {bins: {a: []}}",
        "validate: {families: [speed]}",
        "validate: {gates: [{min: 0.5}]}",
        "validate: {gates: {metric: a}}",
        "validate: {gates_add: null}",
        "collapse_sim: {generations: 1}",
        "collapse_sim: {margins: {a: 0}}",
        "refresh: {max_age: 7}",
        "refresh: {max_age: 0d}",
        "refresh: {drift: {c2st: 0.5}}",
        "refresh: {after_promotion: [' ']}",
        "run: {workers: 0}",
        "run: {workers: 'http://scheduler'}",
        "run: {output_dir: ''}",
    ],
)
def test_what_is_wrong_is_refused_by_both(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        load(tmp_path / "a.yaml")
    assert not schema_accepts(text)


def probed() -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Yield each key with each probe as a configuration that holds nothing else but the kind that has the key."""
    for dotted in settable():
        if dotted.startswith("augment.synthesizer."):
            continue  # the models of `synthesizer` once more
        *sections, key = dotted.split(".")
        for value in PROBES:
            own = {key: value}
            if sections[-1] == "synthesizer" and key != "kind":
                own["kind"] = next(kind for kind, model in KINDS.items() if key in model.model_fields)
            document = own
            for section in reversed(sections):
                document = {section: document}
            yield dotted, value, document


def judged(document: dict[str, Any]) -> set[str]:
    """Return the kinds of mistakes that the models find in a configuration."""
    try:
        Config.model_validate(document)
    except ValidationError as error:
        return {each["type"] for each in error.errors()}
    return set()


def test_the_schema_and_the_models_agree_on_every_value_of_every_key() -> None:
    """But for how keys stand to each other ("refused"), and the names of codecs, which no schema can list."""
    checked, apart = 0, []
    for dotted, value, document in probed():
        mistakes = judged(document)
        if mistakes == {"refused"} or (dotted == "data.encoding" and isinstance(value, str)):
            continue
        checked += 1
        if VALIDATOR.is_valid(document) != (not mistakes):
            apart.append((dotted, value))
    assert apart == []
    assert checked > 2_500


def test_defaults_and_examples_in_the_schema_fit_their_keys() -> None:
    definitions = schema()["$defs"]
    found = 0
    for name, definition in definitions.items():
        for key, about in definition.get("properties", {}).items():
            one = Draft202012Validator({"$defs": definitions, **about})
            for value in (*about.get("examples", ()), *([about["default"]] if "default" in about else [])):
                found += 1
                assert one.is_valid(value), f"{name}.{key}: {value}"
    assert found > 100


def test_an_error_in_a_generator_is_about_its_own_kind() -> None:
    """Whoever writes a forest is not told what each of the other kinds would have wanted."""
    [error] = VALIDATOR.iter_errors({"synthesizer": {"kind": "forest", "tres": 5}})
    deepest = {leaf.message for leaf in leaves(error)}
    assert deepest == {
        "Additional properties are not allowed ('tres' was unexpected)",
        "{'kind': 'forest', 'tres': 5} is not of type 'null'",
    }


def leaves(error: Any) -> Iterator[Any]:
    if not error.context:
        yield error
    for below in error.context:
        yield from leaves(below)
