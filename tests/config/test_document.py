"""What YAML is read as, what is refused, and where a refusal says that the trouble stands."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcli.config.document import MAX_BYTES, Mark, Marks, key_text, parse, parse_value, read
from synthcli.errors import ConfigError, MissingFileError


def parsed(text: str) -> dict[Any, Any]:
    return parse(text.encode(), "a.yaml").data


def refused(content: str | bytes) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(content.encode() if isinstance(content, str) else content, "a.yaml")
    return caught.value.message


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 100_000.0),
        ("-2.5e+3", -2500.0),
        ("1.5e3", 1500.0),
        (".5", 0.5),
        ("3.", 3.0),
        (".inf", float("inf")),
        ("-.INF", float("-inf")),
        ("7", 7),
        ("+7", 7),
        ("-0", 0),
        ("20_000", 20_000),
        ("true", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("yes", "yes"),
        ("No", "No"),
        ("on", "on"),
        ("y", "y"),
        ("012", "012"),
        ("0x1f", "0x1f"),
        ("12:30", "12:30"),
        ("1:30.5", "1:30.5"),
        ("2024-01-31", "2024-01-31"),
        ("2024-01-31 10:00:00", "2024-01-31 10:00:00"),
        ("=", "="),
        ("e5", "e5"),
        ("1e", "1e"),
        ("'7'", "7"),
        ('"\\t"', "\t"),
    ],
)
def test_a_scalar_is_what_people_expect(written: str, value: object) -> None:
    found = parsed(f"a: {written}")["a"]
    assert (type(found), found) == (type(value), value)
    assert parse_value(written, "--set a") == value


def test_nan_is_a_number() -> None:
    assert parsed("a: .nan")["a"] != parsed("a: .nan")["a"]


@pytest.mark.parametrize("text", ["", "\n\n", "# all commented out\n", "---\n", "~", "null\n", "\ufeff"])
def test_a_file_without_content_is_an_empty_configuration(text: str) -> None:
    assert parsed(text) == {}


def test_marks_say_where_keys_and_values_start() -> None:
    marks = parse(b"data:\n  path: [a, b]\n  columns:\n    true: {type: id}\n", "a.yaml").marks
    assert marks["data", "path"] == Marks(Mark(2, 3), Mark(2, 9))
    assert marks["data", "path", "1"] == Marks(Mark(2, 13), Mark(2, 13))
    assert marks["data", "columns", "true", "type"] == Marks(Mark(4, 12), Mark(4, 18))
    assert marks[()] == Marks(Mark(1, 1), Mark(1, 1))


def test_a_byte_order_mark_shifts_no_column() -> None:
    assert parse("\ufeffa: 1".encode(), "a.yaml").marks["a",].value == Mark(1, 4)


def test_keys_that_are_no_text_stay_what_they_are() -> None:
    document = parse(b"shares: {true: .5, 7: 1, null: 2, 1.5: 3}", "a.yaml")
    assert document.data == {"shares": {True: 0.5, 7: 1, None: 2, 1.5: 3}}
    assert [path[1] for path in document.marks if len(path) == 2] == ["true", "7", "null", "1.5"]
    assert [key_text(key) for key in (True, False, None, 7, "True")] == ["true", "false", "null", "7", "True"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "a.yaml:3:1: a: the key stands twice, first at 1:1"),
        ("s:\n  a: 1\n  'a': 2\n", "a.yaml:3:3: s.a: the key stands twice, first at 2:3"),
        ("s: {1: a, true: b}", "a.yaml:1:11: s.true: the key stands twice, first at 1:5"),
        ("a: 1\n---\nb: 2\n", "a.yaml:2:1: a second document starts here, expected one"),
        ("a: 1\n[1, 2]: 3\n", "a.yaml:2:1: got a list or mapping as a key, expected text"),
        ("? {a: 1}\n: 3\n", "a.yaml:1:3: got a list or mapping as a key, expected text"),
        ("- a\n- b\n", "a.yaml:1:1: got a list, expected sections with keys"),
        ("# x\njust text", "a.yaml:2:1: got a single value, expected sections with keys"),
        ("a: !!python/name:os.system x", "a.yaml:1:4: the tag !!python/name:os.system has no use here"),
        ("a: !!set {x}", "a.yaml:1:4: the tag !!set has no use here"),
        ("a: !mine 3", "a.yaml:1:4: the tag !mine has no use here"),
        ("a: !!int x", "a.yaml:1:4: this cannot be read as int"),
        ("a: !!bool maybe", "a.yaml:1:4: this cannot be read as bool"),
        ("a: " + "9" * 5000, "a.yaml:1:4: this cannot be read as int"),
        ("a:\n  <<: 3", "a.yaml:2:7: got a value after <<, expected an alias of keys and values"),
        (b"a: 1\nb: caf\xe9\n", "a.yaml:2:7: the file is not UTF-8 text"),
        ("a: 1".encode("utf-16"), "a.yaml:1:1: the file is not UTF-8 text"),
        (b"a: 1\nb: \x00\n", "a.yaml:2:4: a control character, which YAML does not allow"),
    ],
)
def test_what_cannot_be_read_without_a_guess_is_refused(content: str | bytes, message: str) -> None:
    assert refused(content) == message


@pytest.mark.parametrize(
    ("content", "place", "said"),
    [
        ("a:\n\t- 1\n", "2:1", "cannot start any token"),
        ("a: [1, 2\n", "2:1", "expected ',' or ']'"),
        ("a: *nowhere\n", "1:4", "undefined alias 'nowhere'"),
        ("a: b: c\n", "1:5", "mapping values are not allowed here"),
        ("a: 'open\n", "2:1", "unexpected end of stream"),
    ],
)
def test_a_syntax_error_has_a_place_and_a_hint(content: str, place: str, said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        parse(content.encode(), "a.yaml")
    assert caught.value.message.startswith(f"a.yaml:{place}: not valid YAML: ")
    assert "quote" in caught.value.hint


def test_every_key_that_stands_twice_is_named() -> None:
    assert refused("a: {x: 1, x: 2}\nb: 1\nb: 2\n").splitlines() == [
        "a.yaml:1:11: a.x: the key stands twice, first at 1:5",
        "a.yaml:3:1: b: the key stands twice, first at 2:1",
    ]


def test_a_key_that_stands_twice_is_named_once_however_often_it_is_used() -> None:
    assert len(refused("a: &a {x: 1, x: 2}\nb: [*a, *a]\n").splitlines()) == 1


def test_an_alias_bomb_stops_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    started = time.perf_counter()
    assert re.fullmatch(r"a\.yaml:1:\d+: more than 100,000 values once .*", refused("\n".join(lines)))
    assert time.perf_counter() - started < 30  # a second or so; unbounded it would take for ever


def test_a_bomb_of_merged_aliases_stops_too() -> None:
    lines = ["a0: &a0 {x: 1}"]
    lines += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 12)]
    assert "more than 100,000 values" in refused("\n".join(lines))


@pytest.mark.parametrize("content", ["a: &x [*x]", "a: &x {b: *x}", "a: &x {<<: *x}"])
def test_an_alias_inside_itself_is_refused(content: str) -> None:
    assert re.match(r"a\.yaml:1:\d+: (nested more than 64 deep|more than 100,000)", refused(content))


@pytest.mark.parametrize("depth", [70, 5000])
def test_deep_nesting_is_refused(depth: int) -> None:
    assert re.match(r"a\.yaml:1:\d+: nested (more than 64|too) deep", refused("a: " + "[" * depth + "]" * depth))


def test_merged_keys_give_way_to_own_ones() -> None:
    text = (
        "one: &one {x: 1, y: 1}\ntwo: &two {y: 2, z: 2}\nall:\n  x: 3\n  <<: [*one, *two]\nsingle: {<<: *two, z: 5}\n"
    )
    assert parsed(text)["all"] == {"x": 3, "y": 1, "z": 2}
    assert parsed(text)["single"] == {"y": 2, "z": 5}
    marks = parse(text.encode(), "a.yaml").marks
    assert (marks["all", "x"].value, marks["all", "z"].value) == (Mark(4, 6), Mark(2, 21))
    assert marks["all",] == Marks(Mark(3, 1), Mark(4, 3))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[a, 2, true]", ["a", 2, True]),
        ("{a: {b: 1e-3}}", {"a": {"b": 0.001}}),
        ("|", "|"),
        (",", ","),
        ("'", "'"),
        ("'a: b'", "a: b"),
        ("data/*.csv", "data/*.csv"),
        ("*.csv", "*.csv"),
        ("a: b # c", "a: b # c"),
        ("\t", "\t"),
        (" 3 ", 3),
        ("<<", "<<"),
        ("%Y-%m-%d", "%Y-%m-%d"),
    ],
)
def test_a_single_value_needs_no_quotes_beyond_the_shells(text: str, value: object) -> None:
    assert parse_value(text, "--set a") == value


@pytest.mark.parametrize("text", ["[1,", "{a: 1, a: 2}", "'open", "[1] 2"])
def test_a_broken_single_value_is_refused_under_its_name(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--set a:1:\d+: "):
        parse_value(text, "--set a")


def test_a_missing_file_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match="there is no such configuration file") as caught:
        read(tmp_path / "a.yaml")
    assert caught.value.exit_code == 3


def test_a_folder_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / "synthcli.yml").touch()
    with pytest.raises(ConfigError, match="a folder, expected a configuration file") as caught:
        read(tmp_path)
    assert caught.value.hint == f"did you mean {tmp_path / 'synthcli.yml'}?"


def test_a_name_that_is_nearly_right_is_answered_with_the_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "synthcli.yaml").touch()
    for name in ("synthcli.yml", "sythcli.yaml", "no-such-folder/synthcli.yaml"):
        with pytest.raises(MissingFileError) as caught:
            read(tmp_path / name)
        near = f"did you mean {tmp_path / 'synthcli.yaml'}?"
        assert (caught.value.hint == near) == (not name.startswith("no-such"))


def test_a_table_given_by_mistake_is_not_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "table").write_bytes(b"1,2,3\n" * (MAX_BYTES // 6 + 1))
    with pytest.raises(ConfigError, match="too long for a configuration"):
        read(tmp_path / "table")
    with pytest.raises(ConfigError, match="a table, expected a configuration"):
        read(tmp_path / "table.csv")


# PyYAML writes text such as 1e5 without quotes, since YAML 1.1 reads numbers with an exponent only after a point.
TEXT = st.text(st.characters(codec="utf-8"), max_size=20).filter(
    lambda text: not re.fullmatch(r"[-+]?[0-9.]+[eE][-+]?[0-9]+", text)
)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    TEXT,
    st.sampled_from(["yes", "012", "1:30", "<<"]),
)
KEYS = st.one_of(TEXT, st.integers(), st.booleans())
TREES = st.recursive(
    SCALARS,
    lambda below: st.one_of(st.lists(below, max_size=3), st.dictionaries(KEYS, below, max_size=3)),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(KEYS, TREES, max_size=4), st.sampled_from([True, False, None]))
def test_plain_data_comes_back_as_it_was_dumped(data: dict[Any, Any], flow: bool | None) -> None:
    assert parsed(yaml.safe_dump(data, default_flow_style=flow, sort_keys=False)) == data
