"""The structural check against a slow reading of RFC 4180, on every cut into chunks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from synthcli.errors import BadTableError
from synthcli.tables import structure
from synthcli.tables.structure import Shape, check_structure


def check(path: Path, text: str, *, width: int = 2, chunk: int = 1 << 22) -> Shape:
    path.write_bytes(text.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structure, "_CHUNK", chunk)
        return check_structure(path, name="t.csv", delimiter=",", quote='"', width=width)


def slow_records(text: str) -> list[tuple[int, int, bool]] | int:
    """Return (line, cells, blank) of every record, or the line of a misplaced quote (-1: never closed)."""
    records, line, start, cells, quoted, raw, i = [], 1, 1, 1, False, "", 0
    text = text if text.endswith("\n") or not text else text + "\n"
    while i < len(text):
        sign = text[i]
        if quoted and sign == '"':
            following = text[i + 1] if i + 1 < len(text) else "\n"
            if following == '"':
                raw, i = raw + '""', i + 2
                continue
            if following not in ",\n\r":
                return line
            quoted = False
        elif sign == '"':
            if raw and raw[-1] != ",":
                return line
            quoted = True
        elif sign == "," and not quoted:
            cells += 1
        elif sign == "\n" and not quoted:
            records.append((start, cells, not raw.strip() if cells == 1 else False))
            line, start, cells, raw, i = line + 1, line + 1, 1, "", i + 1
            continue
        line += sign == "\n"
        raw, i = raw + sign, i + 1
    return -1 if quoted else records


def slow_check(text: str, width: int) -> tuple[str, int]:
    """Return ("ok", rows) or ("refused", line), line 0 where the line depends on what is reported first."""
    records = slow_records(text)
    if isinstance(records, int):
        return "refused", 0
    while records and records[0][2]:
        records.pop(0)
    while records and records[-1][2]:
        records.pop()
    for line, cells, blank in records:
        if blank or cells != width:
            return "refused", line
    return "ok", max(len(records) - 1, 0)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(text=st.text(alphabet='a," \n', max_size=40), chunk=st.integers(1, 7))
def test_check_agrees_with_slow_reading(tmp_path: Path, text: str, chunk: int) -> None:
    expected, number = slow_check(text, 2)
    if expected == "ok":
        assert check(tmp_path / "t.csv", text, chunk=chunk).rows == number
        return
    with pytest.raises(BadTableError, match=f"line {number}:" if number else None):
        check(tmp_path / "t.csv", text, chunk=chunk)


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(st.tuples(*2 * [st.text(alphabet='a,"\n é', max_size=6)]), min_size=1, max_size=6),
    chunk=st.integers(1, 9),
)
def test_quoted_rows_are_always_accepted(tmp_path: Path, rows: list[tuple[str, str]], chunk: int) -> None:
    lines = ["a,b", *(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)]
    assert check(tmp_path / "t.csv", "\n".join(lines), chunk=chunk) == Shape(len(rows), 0, 0)


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1 << 22])
def test_line_numbers_count_lines_inside_quotes(tmp_path: Path, chunk: int) -> None:
    with pytest.raises(BadTableError, match=r"line 5: 1 cells where the header has 2"):
        check(tmp_path / "t.csv", 'a,b\n"x\n\ny",2\nlonely\n3,4\n', chunk=chunk)


@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 1 << 22])
def test_quote_is_reported_where_it_is_opened(tmp_path: Path, chunk: int) -> None:
    with pytest.raises(BadTableError, match=r"line 3: a quote is opened here and never closed"):
        check(tmp_path / "t.csv", 'a,b\n"1",2\n3,"4\n5,6\n', chunk=chunk)
    with pytest.raises(BadTableError, match=r"line 2: a quote is opened here and meets text after it in line 4"):
        check(tmp_path / "t.csv", 'a,b\n1,"2\n3,4\n5,"6"\n', chunk=chunk)


def test_crlf_and_a_missing_last_line_end_make_no_difference(tmp_path: Path) -> None:
    assert check(tmp_path / "t.csv", 'a,b\r\n1,"2"\r\n3,4').rows == 2


def test_blank_lines_at_the_edges_are_counted_apart(tmp_path: Path) -> None:
    assert check(tmp_path / "t.csv", "\n\r\na,b\n1,2\n\n  \n\n") == Shape(1, 2, 3)


def test_blank_lines_in_a_single_column_are_empty_cells(tmp_path: Path) -> None:
    assert check(tmp_path / "t.csv", "a\n1\n\n2\n\n\n", width=1) == Shape(3, 0, 2)
    assert check(tmp_path / "t.csv", "a\r\n1\r\n\r\n2\r\n\r\n", width=1, chunk=1) == Shape(3, 0, 1)
