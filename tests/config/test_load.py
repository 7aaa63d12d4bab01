"""Precedence, origins, paths, and every mistake named at once with its place, key and remedy."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
import yaml

import synthcli
from synthcli import seeds
from synthcli.config import Config, GateRule, Resolved, SplitMethod, as_plain, load, schema
from synthcli.config.document import KeyPath
from synthcli.config.fields import MAX_SEED, Section
from synthcli.config.generators import KINDS, GaussianCopula
from synthcli.config.keys import known_at, spelled
from synthcli.config.layers import Layered, Place
from synthcli.config.load import relative_to, without_other_kind
from synthcli.config.models import ColumnType
from synthcli.errors import ConfigError, MissingFileError
from synthcli.schema import Kind

EXAMPLE = """\
data:
  path: sample_data/flights.csv
  target: late
  exclude_features: [arr_delay, arr_time, air_time, dep_delay, dep_time]
  primary_key: null
  time: time_hour
  missing: ["", "NA"]
  columns: {tailnum: {type: categorical}, flight: {type: id}}
split: {holdout: 0.2, method: hash, by: [tailnum], salt: flights}
synthesizer: {kind: gaussian_copula}
sample: {rows: 20000, format: parquet}
validate:
  families: [accuracy, diversity, privacy, utility]
  gates_add:                          # `gates:` replaces the defaults
    - {metric: utility.ratio, min: 0.9, bound: low, level: warning}
run: {seed: 7, output_dir: artifacts}
"""


@pytest.fixture(autouse=True)
def workdir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def loaded(text: str, *sets: str, **more: Any) -> Resolved:
    Path("a.yaml").write_text(text, encoding="utf-8")
    return load(Path("a.yaml"), sets, **more)


def mistakes(text: str, *sets: str, **more: Any) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loaded(text, *sets, **more)
    lines = caught.value.message.splitlines()
    assert caught.value.hint
    assert len(lines) == 1 or caught.value.hint == "correct the above and run again"
    return lines


def remedy(text: str, *sets: str, **more: Any) -> str:
    """The hint about the only mistake."""
    with pytest.raises(ConfigError) as caught:
        loaded(text, *sets, **more)
    return caught.value.hint


def test_the_example_loads() -> None:
    config = loaded(EXAMPLE).config
    assert config.data.columns["flight"].type == "id"
    assert config.data.missing == ["", "NA"]
    assert config.split.method is SplitMethod.HASH
    assert config.synthesizer == GaussianCopula()
    assert config.validation.gates_add == [GateRule(metric="utility.ratio", min=0.9, bound="low", level="warning")]
    assert (config.run.seed, config.sample.rows) == (7, 20_000)


def test_no_configuration_is_the_defaults() -> None:
    resolved = load()
    assert resolved.config == Config()
    assert set(resolved.origins.values()) == {"default"}
    assert resolved.file is None


def test_a_missing_file_exits_3() -> None:
    with pytest.raises(MissingFileError):
        load(Path("nowhere.yaml"))


WRONG = [
    ("data: {path: 3}", "1:14: data.path: got 3, expected a path, or a list of paths, none of them empty"),
    ("data: {path: []}", "1:14: data.path: got [], expected a path, or a list of paths, none of them empty"),
    (
        "data: {path: [a, '']}",
        '1:14: data.path: got ["a", ""], expected a path, or a list of paths, none of them empty',
    ),
    ("data: {target: 2020}", '1:16: data.target: got 2020, expected text: write it as "2020"'),
    ("data: {target: true}", '1:16: data.target: got true, expected text: write it as "true"'),
    ("data: {target: [a]}", '1:16: data.target: got ["a"], expected text'),
    ("data: {exclude_features: late}", '1:26: data.exclude_features: got "late", expected a list, e.g. [a, b]'),
    ("data: {missing: [NA, -999]}", '1:22: data.missing.1: got -999, expected text: write it as "-999"'),
    ("data: {columns: [a]}", '1:17: data.columns: got ["a"], expected keys with values'),
    ("data: {columns: {a: id}}", '1:21: data.columns.a: got "id", expected keys with values'),
    (
        "data:\n  columns:\n    2020: {type: id}",
        '3:5: data.columns.2020: got 2020, expected a key that is text: write it as "2020"',
    ),
    (
        "data:\n  columns:\n    true: {type: id}",
        '3:5: data.columns.true: got true, expected a key that is text: write it as "true"',
    ),
    ("data: {columns: {a: {}}}", "1:21: data.columns.a.type: this key is required"),
    ("data: {columns: {a: {typ: id, type: id}}}", "1:22: data.columns.a.typ: unknown key; did you mean 'type'?"),
    (
        "data: {columns: {a: {type: numerical}}}",
        '1:28: data.columns.a.type: got "numerical", expected one of numeric, categorical, boolean, datetime, '
        "id, text; did you mean 'numeric'?",
    ),
    ("data: {encoding: utf8x}", '1:18: data.encoding: got "utf8x", expected a text encoding, e.g. utf-8 or cp1252'),
    (
        "data: {delimiter: ab}",
        '1:19: data.delimiter: got "ab", expected one character (a tab is written "\\t", in double quotes)',
    ),
    (
        'data: {quote: ""}',
        '1:15: data.quote: got "", expected one character (a tab is written "\\t", in double quotes)',
    ),
    ("data: {decimal_comma: yes}", '1:23: data.decimal_comma: got "yes", expected true or false'),
    ("split: {holdout: 20}", "1:18: split.holdout: got 20, expected a share between 0 and 1, e.g. 0.2"),
    ("split: {holdout: 0.2x}", '1:18: split.holdout: got "0.2x", expected a share between 0 and 1, e.g. 0.2'),
    ("split: {holdout: true}", "1:18: split.holdout: got true, expected a share between 0 and 1, e.g. 0.2"),
    ("split: {holdout: 0}", "1:18: split.holdout: got 0, expected a share between 0 and 1, e.g. 0.2"),
    ("split: {holdout: 1}", "1:18: split.holdout: got 1, expected a share between 0 and 1, e.g. 0.2"),
    ("split: {holdout: .nan}", "1:18: split.holdout: got NaN, expected a share between 0 and 1, e.g. 0.2"),
    ("split: {holdout: null}", "1:18: split.holdout: got null, expected a share between 0 and 1, e.g. 0.2"),
    (
        "split:\n  method: hsh",
        "2:11: split.method: got \"hsh\", expected one of hash, group, stratified, time, random; did you mean 'hash'?",
    ),
    ("split:\n  by: tailnum", '2:7: split.by: got "tailnum", expected a list, e.g. [a, b]'),
    ("split: {salt: 7}", '1:15: split.salt: got 7, expected text: write it as "7"'),
    ("split: 0.2", "1:8: split: got 0.2, expected keys with values"),
    (
        "synthesizer: {kind: gausian_copula, epochs: 3}",
        '1:21: synthesizer.kind: got "gausian_copula", expected one of gaussian_copula, ctgan, tvae, copula_gan, '
        "forest, auto, bootstrap, independent; did you mean 'gaussian_copula'?",
    ),
    (
        "synthesizer: {kind: [a]}",
        '1:21: synthesizer.kind: got ["a"], expected one of gaussian_copula, ctgan, tvae, copula_gan, '
        "forest, auto, bootstrap, independent",
    ),
    ("synthesizer: {kind: ctgan, epochs: 0}", "1:36: synthesizer.epochs: got 0, expected a whole number of at least 1"),
    (
        "synthesizer: {kind: ctgan, generator_dim: [256, 0]}",
        "1:43: synthesizer.generator_dim: got [256, 0], expected a list of layer sizes, e.g. [256, 256]",
    ),
    (
        "synthesizer: {kind: auto, candidates: [forrest]}",
        '1:40: synthesizer.candidates.0: got "forrest", expected one of gaussian_copula, ctgan, tvae, copula_gan, '
        "forest; did you mean 'forest'?",
    ),
    (
        "synthesizer: {kind: auto, candidates: [bootstrap]}",
        "1:40: synthesizer.candidates.0: bootstrap is a baseline and not for release, so that it is no candidate",
    ),
    (
        "synthesizer: {kind: auto, candidates: [auto]}",
        "1:40: synthesizer.candidates.0: auto is no candidate of itself: name the kinds that it chooses from",
    ),
    (
        "synthesizer: {kind: auto, candidates: [3]}",
        "1:40: synthesizer.candidates.0: got 3, expected a kind of generator, or keys with values, kind among them",
    ),
    (
        "synthesizer: {kind: auto, candidates: [{epochs: 3}]}",
        "1:40: synthesizer.candidates.0.kind: got null, expected one of gaussian_copula, ctgan, tvae, copula_gan, "
        "forest",
    ),
    (
        "synthesizer: {kind: auto, candidates: [{kind: forest, min_lef: 3}]}",
        "1:55: synthesizer.candidates.0.min_lef: unknown key; did you mean 'min_leaf'?",
    ),
    (
        "synthesizer: {kind: auto, candidates: [forest, {kind: ctgan, epochs: 0}]}",
        "1:70: synthesizer.candidates.1.epochs: got 0, expected a whole number of at least 1",
    ),
    (
        "synthesizer: {kind: auto, candidates: [forest, {kind: forest}]}",
        "1:14: synthesizer: candidates: forest is named twice with the same parameters",
    ),
    ("synthesizer: {kind: forest, order: [age, sex, age]}", "1:14: synthesizer: order: 'age' is named twice"),
    (
        "synthesizer: {kind: auto, candidates: []}",
        "1:39: synthesizer.candidates: got [], expected a list with at least one entry",
    ),
    ("synthesizer: {kind: auto, max_minutes: 0}", "1:40: synthesizer.max_minutes: got 0, expected a number above 0"),
    ("synthesizer: {kind: ctgan, pac: 7}", "1:14: synthesizer: batch_size must be a multiple of pac"),
    ("synthesizer: {kind: ctgan, pac: 5, batch_size: 5}", "1:14: synthesizer: batch_size must be even"),
    (
        "synthesizer: {kind: tvae, device: cuda, enable_gpu: false}",
        "1:14: synthesizer: device is cuda and enable_gpu is false: leave one of them out",
    ),
    (
        "synthesizer: {kind: tvae, device: gpu}",
        "1:35: synthesizer.device: got \"gpu\", expected one of auto, cpu, cuda; did you mean 'cpu'?",
    ),
    ("synthesizer: {kind: tvae, max_minutes: 0}", "1:40: synthesizer.max_minutes: got 0, expected a number above 0"),
    (
        "synthesizer: {marginals: empirical, default_distribution: norm}",
        "1:14: synthesizer: default_distribution goes with marginals: parametric",
    ),
    (
        "synthesizer: {marginals: empirical, numerical_distributions: {a: norm}}",
        "1:14: synthesizer: numerical_distributions goes with marginals: parametric",
    ),
    (
        "protection: {clip_extremes: -1}",
        "1:29: protection.clip_extremes: got -1, expected a whole number of at least 0",
    ),
    (
        "protection: {rare_category: drop}",
        '1:29: protection.rare_category: got "drop", expected one of sample, constant',
    ),
    ("sample: {max_tries: 0}", "1:21: sample.max_tries: got 0, expected a whole number of at least 1"),
    ("synthesizer: gaussian_copula", '1:14: synthesizer: got "gaussian_copula", expected keys with values'),
    (
        "synthesizer:\n  enforce_roundin: true",
        "2:3: synthesizer.enforce_roundin: unknown key; did you mean 'enforce_rounding'?",
    ),
    ("synthesizer: {enforce_rounding: 1}", "1:33: synthesizer.enforce_rounding: got 1, expected true or false"),
    (
        "synthesizer: {default_distribution: normal}",
        '1:37: synthesizer.default_distribution: got "normal", expected one of norm, beta, truncnorm, uniform, '
        "gamma; did you mean 'norm'?",
    ),
    (
        "synthesizer: {numerical_distributions: {dist: gama}}",
        '1:47: synthesizer.numerical_distributions.dist: got "gama", expected one of norm, beta, truncnorm, '
        "uniform, gamma; did you mean 'gamma'?",
    ),
    ("sample: {rows: 0}", "1:16: sample.rows: got 0, expected a whole number of at least 1"),
    ("sample: {rows: 1.5}", "1:16: sample.rows: got 1.5, expected a whole number of at least 1"),
    ("sample: {format: xlsx}", '1:18: sample.format: got "xlsx", expected one of parquet, csv, jsonl'),
    ("sample: {seed: -1}", "1:16: sample.seed: got -1, expected a whole number from 0 to 2^63 - 1"),
    ("run: {seed: true}", "1:13: run.seed: got true, expected a whole number from 0 to 2^63 - 1"),
    (
        f"run: {{seed: {MAX_SEED + 1}}}",
        f"1:13: run.seed: got {MAX_SEED + 1}, expected a whole number from 0 to 2^63 - 1",
    ),
    ("run: {output_dir: ''}", '1:19: run.output_dir: got "", expected a path'),
    (
        "validate: {families: [privcy]}",
        '1:23: validate.families.0: got "privcy", expected one of accuracy, validity, diversity, similarity, privacy, '
        "utility; "
        "did you mean 'privacy'?",
    ),
    ("validate: {families: []}", "1:22: validate.families: got [], expected a list with at least one entry"),
    (
        "validate: {fail_on: errors}",
        "1:21: validate.fail_on: got \"errors\", expected one of error, warning, never; did you mean 'error'?",
    ),
    ("validate: {gates: 3}", "1:19: validate.gates: got 3, expected a list, e.g. [a, b]"),
    (
        "validate:\n  gates:\n    - metric: a.b\n",
        "3:7: validate.gates.0: the rule has no limit: set min, max, min_of_reference, max_excess or max_drop_from",
    ),
    ("validate: {gates_add: [{min: 1}]}", "1:24: validate.gates_add.0.metric: this key is required"),
    (
        "validate: {gates: [{metric: '', min: 1}]}",
        '1:29: validate.gates.0.metric: got "", expected a metric\'s name or pattern, e.g. privacy.*',
    ),
    ("validate: {gates: [{metric: a, min: true}]}", "1:37: validate.gates.0.min: got true, expected a number"),
    (
        "validate: {gates: [{metric: a, max: .inf}]}",
        "1:37: validate.gates.0.max: got Infinity, expected a finite number",
    ),
    (
        "validate: {gates: [{metric: a, min: 2, max: 1}]}",
        "1:20: validate.gates.0: min is greater than max, so that no value could pass",
    ),
    (
        "validate: {gates: [{metric: a, min_of_reference: 0}]}",
        "1:50: validate.gates.0.min_of_reference: got 0, expected a share above 0, at most 1",
    ),
    (
        "validate: {gates: [{metric: a, max_excess: 5}]}",
        "1:44: validate.gates.0.max_excess: got 5, expected a share from 0 to 1, e.g. 0.005",
    ),
    (
        "validate: {gates: [{metric: a, max_excess: .1, p_value: 1}]}",
        "1:57: validate.gates.0.p_value: got 1, expected a probability between 0 and 1, e.g. 0.001",
    ),
    (
        "validate: {gates: [{metric: a, min: 1, bound: lo}]}",
        "1:47: validate.gates.0.bound: got \"lo\", expected one of value, low, high; did you mean 'low'?",
    ),
    (
        "validate: {gates: [{metric: a, min: 1, level: warn}]}",
        "1:47: validate.gates.0.level: got \"warn\", expected one of error, warning; did you mean 'warning'?",
    ),
    (
        "validate: {gates: [{metric: a, min: 1, levl: error}]}",
        "1:40: validate.gates.0.levl: unknown key; did you mean 'level'?",
    ),
    (
        "data: {constraints: [{kind: rang}]}",
        '1:29: data.constraints.0.kind: got "rang", expected one of inequality, range, fixed_combinations, '
        "fixed_increments, one_hot; did you mean 'range'?",
    ),
    (
        "data: {constraints: [{kind: fixed_increments, column_name: a, increment_value: 0}]}",
        "1:80: data.constraints.0.increment_value: got 0, expected a number above 0",
    ),
    ("validation: {}", "1:1: validation: unknown key; did you mean 'validate'?"),
    ("holdout: 0.2", "1:1: holdout: unknown key; it belongs at 'split.holdout'"),
    (
        "split: {rows: 3}",
        "1:9: split.rows: unknown key; it belongs at 'sample.rows' or 'augment.rows' or 'collapse_sim.rows'",
    ),
    ("seed: 3", "1:1: seed: unknown key; it belongs at 'sample.seed' or 'run.seed'"),
    ("Output-Dir: 3", "1:1: Output-Dir: unknown key; did you mean 'run.output_dir'?"),
    ("split: {7: x}", "1:9: split.7: unknown key; known here: holdout, method, by, salt, since, privacy_holdout"),
    (
        "false: x",
        "1:1: false: unknown key; known here: data, split, protection, synthesizer, sample, augment, validate, "
        "collapse_sim, refresh, run",
    ),
]


REMEDIES = [
    ("split: {holdout: 20%}", "write split.holdout: 0.2"),
    ("split: {holdout: 20}", "write split.holdout: 0.2"),
    ("split: {holdout: '0,2'}", "write split.holdout: 0.2"),
    ("split: {holdout: '0.2'}", "write split.holdout: 0.2"),
    ("split: {holdout: 0}", "set split.holdout to a share between 0 and 1, e.g. 0.2"),
    ("split: {holdout: 120%}", "set split.holdout to a share between 0 and 1, e.g. 0.2"),
    ("augment: {shares: {true: 50%}}", "write augment.shares.true: 0.5"),
    ("sample: {rows: 1e6}", "write sample.rows: 1000000"),
    ("sample: {rows: '1_000'}", "write sample.rows: 1000"),
    ("sample: {rows: -5}", "set sample.rows to a whole number of at least 1"),
    ("sample: {rows: 1.5}", "set sample.rows to a whole number of at least 1"),
    ("validate: {compat: yes}", "write validate.compat: true"),
    ("validate: {compat: Off}", "write validate.compat: false"),
    ("validate: {compat: maybe}", "set validate.compat to true or false"),
    ("synthesizer: {kind: forrest}", "write synthesizer.kind: forest"),
    ("data: {target: 1}", 'write data.target: "1"'),
    ("data: a.csv", "write the keys of data indented under it, e.g. path"),
    ("split: {holdot: 0.2}", "write holdout in its place"),
    ("synthesizer: forest", "write synthesizer: {kind: forest}"),
    ("augment: {synthesizer: Forrest}", "write augment.synthesizer: {kind: forest}"),
    ("synthesizer: xyz", "write the keys of synthesizer indented under it, e.g. numerical_distributions"),
    ("split: {by: device}", "write split.by: [device]"),
    ("split: {by: 'device, day'}", "write split.by: [device, day]"),
    ("split: {by: 7}", "set split.by to a list, e.g. [a, b]"),
    ("split: {by: '1'}", "set split.by to a list, e.g. [a, b]"),
    ("validate: {gates_add: x}", "set validate.gates_add to a list, e.g. [a, b]"),
    ("holdout: 0.2", "move it to split.holdout"),
    ("synthesizer: {epochs: 3}", "leave it out, or set synthesizer.kind to one that has it"),
    ("split: {7: x}", "take one of these, or leave it out"),
]


@pytest.mark.parametrize(("text", "hint"), REMEDIES)
def test_the_hint_says_what_to_write(text: str, hint: str) -> None:
    assert remedy(text) == hint


def test_the_hint_is_in_the_form_in_which_the_value_was_given() -> None:
    assert remedy("", "split.holdout=20%") == "write --set split.holdout=0.2"
    assert remedy("", "split.holdot=0.2") == "write split.holdout in its place"
    assert remedy("", "splitt.holdout=0.2") == "write split in its place"
    assert remedy("", "split.by=device") == "write --set 'split.by=[device]'"
    assert remedy("", "synthesizer=forest") == "write --set 'synthesizer={kind: forest}'"
    assert remedy("", environment={"SYNTHCLI_SPLIT__BY": "device"}) == "write SYNTHCLI_SPLIT__BY='[device]'"
    assert remedy("", "split.by=[1]") == "set split.by.0 to text"
    assert remedy("", "split.holdout") == "write --set split.holdout=VALUE"
    assert remedy("", environment={"SYNTHCLI_SPLIT__HOLDOUT": "20%"}) == "write SYNTHCLI_SPLIT__HOLDOUT=0.2"
    given = {"flags": {"split.holdout": 20}, "options": {"split.holdout": "--holdout"}}
    assert remedy("", **given) == "write --holdout 0.2"
    assert mistakes("", **given) == ["--holdout: split.holdout: got 20, expected a share between 0 and 1, e.g. 0.2"]


@pytest.mark.parametrize(("text", "line"), WRONG, ids=[text for text, _ in WRONG])
def test_a_mistake_is_named_with_place_key_and_remedy(text: str, line: str) -> None:
    assert mistakes(text) == [f"a.yaml:{line}"]


@pytest.mark.parametrize(
    ("setting", "line"),
    [
        ("split.holdout=20", "--set split.holdout: got 20, expected a share between 0 and 1, e.g. 0.2"),
        ("split.by=[1]", '--set split.by: split.by.0: got 1, expected text: write it as "1"'),
        ("split.holdut=0.3", "--set split.holdut: unknown key; did you mean 'split.holdout'?"),
        ("splt.holdout=0.3", "--set splt.holdout: splt: unknown key; did you mean 'split'?"),
        ("split=0.3", "--set split: got 0.3, expected keys with values"),
        ("split.holdout", "--set split.holdout: expected KEY=VALUE with a dotted key, e.g. split.holdout=0.3"),
        ("=3", "--set =3: expected KEY=VALUE with a dotted key, e.g. split.holdout=0.3"),
        (
            "split.salt.x=3",
            "--set split.salt.x: 'split.salt' has no keys to set, since a.yaml:1:15 gives it a value of its own",
        ),
    ],
)
def test_a_wrong_set_is_named_as_it_was_given(setting: str, line: str) -> None:
    assert mistakes("split: {salt: flights}", setting) == [line]


def test_a_broken_value_of_set_is_named() -> None:
    assert mistakes("", "split.by=[a")[0].startswith("--set split.by:1:3: not valid YAML: ")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("SYNTHCLI_SPLIT__HOLDOUT", "20", "split.holdout: got 20, expected a share between 0 and 1, e.g. 0.2"),
        ("SYNTHCLI_SPLT__HOLDOUT", "0.2", "splt: unknown key; did you mean 'split'?"),
        ("SYNTHCLI__SPLIT__HOLDOUT", "0.2", "_split: unknown key; did you mean 'split'?"),
        ("SYNTHCLI_RUN__HOLDOUT", "0.2", "run.holdout: unknown key; it belongs at 'split.holdout'"),
    ],
)
def test_a_wrong_variable_is_named(name: str, value: str, line: str) -> None:
    assert mistakes("", environment={name: value}) == [f"{name}: {line}"]


def test_a_wrong_flag_is_named() -> None:
    assert mistakes("", flags={"sample.rows": 0}) == [
        "command line: sample.rows: got 0, expected a whole number of at least 1"
    ]


def test_every_mistake_is_named_at_once_in_reading_order() -> None:
    text = "run: {sed: 1}\nsplit:\n  holdout: 20\n  holdot: 0.2\n"
    given = {"environment": {"SYNTHCLI_SAMPLE__ROWS": "x"}, "flags": {"data.encoding": "utf8x"}}
    assert [line.split(" ")[:3] for line in mistakes(text, "split.by=a", "oops", **given)] == [
        ["a.yaml:1:7:", "run.sed:", "unknown"],
        ["a.yaml:3:12:", "split.holdout:", "got"],
        ["a.yaml:4:3:", "split.holdot:", "unknown"],
        ["SYNTHCLI_SAMPLE__ROWS:", "sample.rows:", "got"],
        ["--set", "oops:", "expected"],
        ["--set", "split.by:", "got"],
        ["command", "line:", "data.encoding:"],
    ]


def test_a_value_without_keys_is_not_replaced_unasked() -> None:
    lines = mistakes("split: 3", "split.holdout=0.3")
    assert lines[0] == "a.yaml:1:8: split: got 3, expected keys with values"
    assert lines[1].startswith("--set split.holdout: 'split' has no keys to set")


@pytest.mark.parametrize(
    ("layers", "salt", "origin"),
    [
        ((), "synthcli", "default"),
        (("file",), "file", "a.yaml:1:9"),
        (("file", "environment"), "environment", "SYNTHCLI_SPLIT__SALT"),
        (("file", "environment", "set"), "set", "--set"),
        (("file", "environment", "set", "flag"), "flag", "flag"),
        (("file", "flag"), "flag", "flag"),
        (("environment", "flag"), "flag", "flag"),
        (("file", "set"), "set", "--set"),
    ],
)
def test_the_nearer_layer_wins(layers: tuple[str, ...], salt: str, origin: str) -> None:
    resolved = loaded(
        "split: {salt: file}" if "file" in layers else "",
        *(["split.salt=set"] if "set" in layers else []),
        environment={"SYNTHCLI_SPLIT__SALT": "environment"} if "environment" in layers else {},
        flags={"split.salt": "flag" if "flag" in layers else None},
    )
    assert (resolved.config.split.salt, resolved.origins["split.salt"]) == (salt, origin)


def test_layers_replace_values_and_leave_their_neighbours() -> None:
    text = "split: {holdout: 0.3, by: [a, b]}\ndata:\n  columns: {x: {type: id, format: f}, y: {type: text}}\n"
    resolved = loaded(text, "split.by=[c]", "data.columns.x={type: numeric}", "data.columns.z.type=id")
    assert (resolved.config.split.holdout, resolved.config.split.by) == (0.3, ["c"])
    assert {name: column.type for name, column in resolved.config.data.columns.items()} == {
        "x": "numeric", "y": "text", "z": "id",
    }  # fmt: skip
    assert resolved.config.data.columns["x"].format is None
    assert [resolved.origins[f"data.columns.{key}"] for key in ("x.type", "x.format", "y.type", "z.type")] == [
        "--set", "default", "a.yaml:3:43", "--set",
    ]  # fmt: skip


def test_of_two_sets_for_one_key_the_later_counts() -> None:
    assert load(sets=["run.seed=1", "run.seed=2"]).config.run.seed == 2


def test_origins_name_every_key_of_the_configuration() -> None:
    origins = loaded(EXAMPLE).origins
    assert origins["validate.gates_add"] == "a.yaml:14:3"
    assert origins["data.columns.tailnum.type"] == "a.yaml:8:23"
    assert origins["sample.seed"] == "default"
    assert origins["synthesizer.numerical_distributions"] == "default"


def test_a_section_with_all_keys_commented_out_is_its_defaults() -> None:
    resolved = loaded("data:\n  # path: a.csv\nsynthesizer:\nsplit:\n", "split.salt=x")
    assert resolved.config.data == Config().data
    assert resolved.config.split.salt == "x"


def test_variables_are_read_whatever_their_case_but_column_names_keep_theirs() -> None:
    names = {"SYNTHCLI_DATA__COLUMNS__TailNum__TYPE": "id", "SYNTHCLI_split__By": "[a]"}
    config = load(environment=names).config
    assert config.data.columns["TailNum"].type == "id"
    assert config.split.by == ["a"]
    assert spelled(["SYNTHESIZER", "NUMERICAL_DISTRIBUTIONS", "Dist"]) == (
        "synthesizer", "numerical_distributions", "Dist",
    )  # fmt: skip


def test_variables_that_are_no_settings_are_ignored() -> None:
    assert load(environment={"SYNTHCLI_TEST_DATA": "x", "PATH": "a__b", "XSYNTHCLI_A__B": "1"}).config == Config()


def test_a_variable_with_one_underscore_is_told_what_it_lacks() -> None:
    name = "SYNTHCLI_SPLIT_HOLDOUT"
    told = f"{name}: sets nothing, expected two underscores after the section"
    assert mistakes("", environment={name: "0.3"}) == [told]
    assert remedy("", environment={name: "0.3"}) == "write SYNTHCLI_SPLIT__HOLDOUT, which sets split.holdout"
    assert load(environment={"SYNTHCLI_OUT": "x", "SYNTHCLI_REPORT": "y", "SYNTHCLI_SPLIT": "z"}).config == Config()


def test_flags_may_be_paths_enums_and_tuples() -> None:
    flags = {"data.path": Path("x/a.csv"), "split.method": SplitMethod.HASH, "split.by": ("a", "b")}
    config = load(flags=flags).config
    assert (config.data.path, config.split.method, config.split.by) == ("x/a.csv", SplitMethod.HASH, ["a", "b"])


def test_paths_of_a_file_are_relative_to_it_and_others_to_the_working_directory(workdir: Path) -> None:
    (workdir / "configs").mkdir()
    file = workdir / "configs" / "a.yaml"
    file.write_text("data: {path: [../parts/*.csv, b.csv, /data/c.csv]}\nrun: {output_dir: ../out}\n")
    resolved = load(file)
    assert resolved.config.data.path == ["parts/*.csv", "configs/b.csv", "/data/c.csv"]
    assert resolved.config.run.output_dir == "out"
    assert load(Path("configs/a.yaml"), ["run.output_dir=o"], flags={"data.path": "d.csv"}).config.run.output_dir == "o"
    assert load(file, flags={"data.path": "d.csv"}).config.data.path == "d.csv"
    assert load(file, environment={"SYNTHCLI_DATA__PATH": "../e.csv"}).config.data.path == "../e.csv"


def test_the_default_output_folder_stays_in_the_working_directory(workdir: Path) -> None:
    (workdir / "configs").mkdir()
    (workdir / "configs" / "a.yaml").write_text("run: {seed: 1}")
    assert load(Path("configs/a.yaml")).config.run.output_dir == "artifacts"


def test_standard_input_and_absolute_paths_stay(workdir: Path) -> None:
    assert [relative_to(workdir / "x", path) for path in ("-", "/a/../b", "")] == ["-", "/a/../b", ""]


def test_a_path_far_away_becomes_absolute_where_that_is_shorter() -> None:
    assert relative_to(Path("/"), "x.csv") == "/x.csv"


def test_dots_follow_the_link_that_the_file_was_reached_by(workdir: Path) -> None:
    (workdir / "real" / "configs").mkdir(parents=True)
    (workdir / "link").symlink_to(workdir / "real" / "configs")
    assert relative_to(workdir / "link", "../a.csv") == os.path.join("real", "a.csv")


class Forest(Section):
    """A second kind of generator, for the tests of a change of kind."""

    kind: Literal["forest"] = "forest"
    enforce_rounding: bool = True
    trees: int = 10


def place(origin: str, layer: int) -> Place:
    return Place(origin, origin, origin, (layer, 1, 1))


def changed(
    stated: dict[str, Any], chosen: dict[str, Any], layers: dict[str, int]
) -> tuple[dict[str, Any], dict[str, str]]:
    places: dict[KeyPath, Place] = {("synthesizer", key): place(f"at {key}", layer) for key, layer in layers.items()}
    kinds: dict[str, type[Section]] = {**KINDS, "forest": Forest}
    layered, aside = without_other_kind(Layered({"synthesizer": chosen}, places), {"synthesizer": stated}, kinds)
    return layered.data["synthesizer"], aside


def test_a_kind_chosen_outside_the_file_sets_the_files_parameters_aside() -> None:
    stated = {"kind": "gaussian_copula", "default_distribution": "norm", "enforce_rounding": False, "tres": 1}
    kept, aside = changed(
        stated,
        {**stated, "kind": "forest"},
        {"kind": 2, "default_distribution": 0, "enforce_rounding": 0, "tres": 0},
    )
    assert kept == {"kind": "forest", "enforce_rounding": False, "tres": 1}
    assert aside == {"synthesizer.default_distribution": "at default_distribution"}


def test_a_parameter_of_the_wrong_kind_in_the_same_call_is_kept_to_be_refused() -> None:
    chosen: dict[str, Any] = {"kind": "forest", "default_distribution": "norm"}
    assert changed({}, chosen, {"kind": 3, "default_distribution": 2}) == (chosen, {})


def test_without_a_change_of_kind_nothing_is_set_aside() -> None:
    assert changed({"trees": 5}, {"trees": 5}, {"trees": 0}) == ({"trees": 5}, {})
    assert changed({"kind": "nope"}, {"kind": "forest", "x": 1}, {"kind": 3, "x": 0})[1] == {}


def test_a_candidates_name_means_its_defaults_and_the_copulas_own_quantiles() -> None:
    synthesizer = loaded(
        "synthesizer: {kind: auto, candidates: [gaussian_copula, {kind: gaussian_copula}]}"
    ).config.synthesizer
    assert [candidate.marginals for candidate in synthesizer.candidates] == ["empirical", "parametric"]
    default = loaded("synthesizer: {kind: auto}").config.synthesizer
    assert default == loaded("synthesizer: {kind: auto, candidates: [gaussian_copula, forest]}").config.synthesizer


@pytest.mark.parametrize(
    "text", ["", EXAMPLE, "synthesizer: {kind: auto}", "validate: {gates: [{metric: 'a.*', max_excess: 0.01}]}"]
)
def test_the_resolved_configuration_is_json_and_loads_to_itself(text: str) -> None:
    config = loaded(text).config
    plain = json.loads(json.dumps(as_plain(config), allow_nan=False))
    assert loaded(yaml.safe_dump(plain)).config == config


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().config.split.holdout = 0.5


def described(part: dict[str, Any]) -> list[str]:
    return [name for name, key in part["properties"].items() if not key.get("description")]


def test_the_schema_describes_every_key_and_allows_no_others() -> None:
    whole = schema()
    for part in (whole, *(part for part in whole["$defs"].values() if part["type"] == "object")):
        assert described(part) == []
        assert part["additionalProperties"] is False
    assert "validate" in whole["properties"]
    json.dumps(whole)


def test_known_keys_follow_the_models() -> None:
    assert known_at(("split",)) == ["holdout", "method", "by", "salt", "since", "privacy_holdout"]
    assert "min_of_reference" in known_at(("validate", "gates", "0"))
    assert known_at(("data", "columns")) == []
    assert known_at(("data", "columns", "x")) == ["type", "format"]
    assert "default_distribution" in known_at(("synthesizer",), "gaussian_copula")


def test_column_types_are_the_schemas_kinds_and_seeds_those_of_seeds() -> None:
    assert set(get_args(ColumnType)) == set(Kind)
    assert MAX_SEED == seeds.MAX_SEED


def test_importing_the_configuration_loads_nothing_heavy() -> None:
    heavy = ("numpy", "polars", "pandas", "sdv", "typer", "rich")
    code = f"import sys, synthcli.config; print(*(name for name in {heavy} if name in sys.modules))"
    root = Path(synthcli.__file__).parents[1]
    ran = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
