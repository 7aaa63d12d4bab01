"""Whatever a name is, it comes back from YAML as it was, and no comment ends before its line."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from synthcli.config.document import parse
from synthcli.reports.yaml_lines import WIDTH, beside, entry, joined, remark, scalar

NAMES = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    NAMES, st.one_of(NAMES, st.integers(), st.booleans(), st.none(), st.floats(allow_nan=False, allow_infinity=False))
)
def test_keys_and_values_come_back_as_they_were(key: str, value: object) -> None:
    content = f"top:\n{entry(key, [value, {key: value}], key)}\n"
    assert parse(content.encode(), "a.yaml").data == {"top": {key: [value, {key: value}]}}


@given(NAMES)
def test_other_readers_of_yaml_see_the_same_text(name: str) -> None:
    assert yaml.safe_load(f"{scalar(name)}: {scalar([name])}") == {name: [name]}


@pytest.mark.parametrize(
    "name", ["yes", "1e5", "a: b", "#x", "null", " x", "12:30", "0x1f", "-", "=", "<<", "", "é\u2028", "2024-01-31"]
)
def test_names_that_mean_something_else_are_quoted(name: str) -> None:
    assert scalar(name)[0] == '"'


@pytest.mark.parametrize("name", ["late", "../../data/a.csv", "/srv/b.parquet", "Größe", "e5", "a-b.c"])
def test_plain_names_and_paths_are_not_quoted(name: str) -> None:
    assert scalar(name) == name
    assert yaml.safe_load(scalar(name)) == name


def test_a_key_too_long_for_one_line_is_still_a_key() -> None:
    assert parse(entry("k" * 3_000, 1, indent=0).encode(), "a.yaml").data == {"k" * 3_000: 1}


@given(NAMES)
def test_a_comment_is_nothing_but_a_comment(text: str) -> None:
    assert parse("\n".join(["a: 1", *remark(scalar(text)), beside("b: 2", text, 0)]).encode(), "a.yaml").data == {
        "a": 1,
        "b": 2,
    }


def test_a_long_comment_goes_above_its_line_and_is_wrapped() -> None:
    *comment, line = beside("  a: 1", "word " * 60, 2).split("\n")
    assert line == "  a: 1"
    assert all(each.startswith("  # ") and len(each) <= WIDTH for each in comment)


def test_a_list_is_broken_between_its_items_only() -> None:
    lines = remark(joined(f"name {i} ({i})" for i in range(50)), indent=0)
    assert len(lines) > 1
    assert all(line.rstrip(",").endswith(")") for line in lines)
