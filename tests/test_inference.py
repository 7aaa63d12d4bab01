"""Kinds and forms, found in tables small enough to judge by eye."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthcli.forms import dtype_name, offset_minutes, polars_dtype, reading, writing
from synthcli.inference import ReadOptions, infer_text, infer_typed, typed
from synthcli.inference.timeformats import FORMATS, formats_for, swapped
from synthcli.schema import Column, Dialect, Kind


def column(*cells: str, name: str = "a", **wish: str) -> Column:
    options = ReadOptions(columns={name: wish} if wish else {})
    return infer_text(pl.DataFrame({name: cells}), options).schema[name]


def stored(values: list[object], name: str = "a", **wish: str) -> Column:
    frame = pl.DataFrame({name: values}, strict=False)
    return infer_typed(frame, ReadOptions(columns={name: wish} if wish else {})).schema[name]


def several(count: int, form: str = "{}") -> list[str]:
    return [form.format(7 * i) for i in range(count)]


# numbers


def test_a_column_of_texts_that_begins_late_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthcli.inference.kinds._DISTINCT_ROWS", 20)
    late = pl.DataFrame({"s": [None] * 20 + ["x", "y"] * 10})
    assert infer_typed(late).schema["s"].kind is Kind.CATEGORICAL


def test_whole_numbers_are_int64_without_decimals() -> None:
    found = column("1", "-20", "0")
    assert (found.kind, found.dtype, found.decimals, found.doubts) == (Kind.NUMERIC, "Int64", 0, ())


@pytest.mark.parametrize(
    ("cells", "decimals", "least"),
    [
        (("1.50", "2.25"), 2, 2),
        (("1.5", "2.25", "3"), 2, 0),
        (("1.5", "2.25", "3.0"), 2, 1),
        (("1.50", "2.5"), 1, 1),
        (("1.0", "2.0"), 1, 1),
        (("5.", "6."), 1, 1),
        ((".5", "0.25"), 2, 1),
        (("1e5", "2.5"), None, 0),
        (("0.1234567890123456", "1.5"), None, 0),
    ],
)
def test_decimals_are_the_digits_behind_the_point(cells: tuple[str, ...], decimals: int | None, least: int) -> None:
    found = column(*cells)
    assert (found.dtype, found.decimals, found.least_decimals) == ("Float64", decimals, least)


@given(st.lists(st.decimals(-(10**6), 10**6, places=3), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_fixed_decimals_are_written_back_exactly(numbers: list[object]) -> None:
    cells = pl.DataFrame({"a": [f"{number:.3f}" for number in numbers]})
    inferred = infer_text(cells)
    again = typed(cells.lazy(), inferred).select(writing(inferred.schema["a"])).collect()
    zero = cells.select(pl.col("a").str.replace(r"^-0\.000$", "0.000"))
    assert again.select(pl.col("a").str.replace(r"^-0\.000$", "0.000")).equals(zero)


@pytest.mark.parametrize("cells", [("00123",), ("+1",), ("1_000",), ("inf",), ("1e999",), ("9" * 19,), ("1,5",)])
def test_text_that_would_lose_something_as_a_number_stays_text(cells: tuple[str, ...]) -> None:
    assert column(*cells).dtype == "String"


@given(st.lists(st.decimals(-1000, 1000, places=4), min_size=1, max_size=5))
@settings(max_examples=50, deadline=None)
def test_decimals_as_other_programs_write_floats_are_written_back_exactly(numbers: list[object]) -> None:
    cells = pl.DataFrame({"a": [repr(float(number)) for number in numbers]})
    inferred = infer_text(cells)
    again = typed(cells.lazy(), inferred).select(writing(inferred.schema["a"])).collect()
    if not cells["a"].str.contains("e|-0.0$").any():
        assert again.equals(cells)


# booleans


@pytest.mark.parametrize("spelling", [("false", "true"), ("False", "True"), ("FALSE", "TRUE")])
def test_truth_values_have_one_spelling(spelling: tuple[str, str]) -> None:
    assert column(*spelling).spelling == spelling
    assert column(spelling[1]).kind is Kind.BOOLEAN


@pytest.mark.parametrize("cells", [("true", "False"), ("yes", "no"), ("T", "F")])
def test_other_pairs_are_categories(cells: tuple[str, str]) -> None:
    assert column(*cells).kind is Kind.CATEGORICAL


def test_demanded_truth_values_keep_their_spelling() -> None:
    assert column("Y", "N", type="boolean").spelling == ("N", "Y")
    assert column("1", "0", type="boolean").spelling == ("0", "1")
    assert column("yes", type="boolean").spelling == ("no", "yes")


# datetimes


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_is_found_from_what_it_writes(form: str) -> None:
    moments = [datetime(2013, 12, 31, 23, 59, 58, 120_000), datetime(1999, 1, 2, 3, 4, 5)]
    cells = pl.DataFrame({"a": moments}).select(pl.col("a").dt.to_string(form))
    inferred = infer_text(cells)
    found = inferred.schema["a"]
    assert found.kind is Kind.DATETIME
    assert typed(cells.lazy(), inferred).select(writing(found)).collect().equals(cells)


@pytest.mark.parametrize(
    ("cells", "dtype", "first"),
    [
        (("2020-01-05",), "Date", date(2020, 1, 5)),
        (("2020-01-05T01:02:03",), "Datetime[us]", datetime(2020, 1, 5, 1, 2, 3)),
        (("2020-01-05 01:02",), "Datetime[us]", datetime(2020, 1, 5, 1, 2)),
        (("2020-01-05 01:02:03.250",), "Datetime[us]", datetime(2020, 1, 5, 1, 2, 3, 250_000)),
        (("2020-01-05T01:02:03Z",), "Datetime[us, UTC]", datetime(2020, 1, 5, 1, 2, 3, tzinfo=UTC)),
        (("2020-01-05T01:02:03-0330",), "Datetime[us, UTC]", datetime(2020, 1, 5, 4, 32, 3, tzinfo=UTC)),
        (("31/12/2020", "01/02/2020"), "Date", date(2020, 12, 31)),
        (("12/31/2020", "01/02/2020"), "Date", date(2020, 12, 31)),
    ],
)
def test_datetimes_have_their_value_and_type(cells: tuple[str, ...], dtype: str, first: object) -> None:
    inferred = infer_text(pl.DataFrame({"a": cells}))
    assert inferred.schema["a"].dtype == dtype
    assert typed(pl.LazyFrame({"a": cells}), inferred).collect().item(0, 0) == first


def test_ambiguous_order_of_day_and_month_is_a_doubt() -> None:
    (doubt,) = column("01/02/2020", "03/04/2020").doubts
    assert "%m/%d/%Y" in doubt
    assert "%d/%m/%Y" in doubt
    assert column("01/02/2020", "03/13/2020").doubts == ()


def test_demanded_format_needs_not_be_lossless() -> None:
    assert column("1/2/2020", type="datetime", format="%d/%m/%Y").format == "%d/%m/%Y"
    assert column("20200105", format="%Y%m%d").dtype == "Date"
    assert column("2020-01-05 01:02:03+0200", format="%Y-%m-%d %H:%M:%S%z").format == "%Y-%m-%d %H:%M:%S+0200"


def test_formats_are_proposed_by_separators_and_one_zone() -> None:
    assert "%Y-%m-%dT%H:%M:%SZ" in formats_for(["2020-01-05T00:00:00Z"])
    assert formats_for(["2020-01-05T00:00:00Z", "2020-01-05T00:00:00+01:00"]) == []


def test_swapping_day_and_month_twice_changes_nothing() -> None:
    assert swapped("%-d/%m/%Y") == "%-m/%d/%Y"
    assert all(swapped(swapped(form)) == form for form in FORMATS)


# texts, ids, categories


def test_few_values_are_categories_and_distinct_short_ones_ids() -> None:
    assert column("x", "y", "x").kind is Kind.CATEGORICAL
    assert column(*several(20, "k{}")).kind is Kind.ID
    assert column(*several(19, "k{}")).kind is Kind.CATEGORICAL


def test_long_distinct_texts_are_text() -> None:
    assert column(*several(20, "a sentence of several words, the one numbered {}")).kind is Kind.TEXT


@pytest.mark.parametrize("name", ["id", "ID", "user_id", "userId", "customerid", "key", "index", "no", "order_no"])
def test_distinct_whole_numbers_are_ids_by_name(name: str) -> None:
    assert column(*several(5), name=name).kind is Kind.ID
    assert column("1", "1", "2", name=name).kind is Kind.NUMERIC


def test_distinct_whole_numbers_are_ids_where_they_count_up() -> None:
    run = [str(i) for i in range(100, 120)]
    assert column(*run).kind is Kind.ID
    assert column(*run[:-1]).kind is Kind.NUMERIC
    assert column(*several(30)).kind is Kind.NUMERIC
    assert column(*run, "").kind is Kind.NUMERIC


def test_many_levels_are_a_doubt() -> None:
    (doubt,) = column(*several(30, "k{}"), "k0").doubts
    assert doubt == "has 30 different values in 31 rows, many for categories"


def test_demanded_kind_keeps_the_storage() -> None:
    assert column("1", "2", type="categorical").dtype == "Int64"
    assert column("1", "2", type="id").kind is Kind.ID
    assert column("007", "+8", type="numeric").dtype == "Int64"
    key = infer_text(pl.DataFrame({"a": ["x", "x"]}), ReadOptions(primary_key="a")).schema["a"]
    assert key.kind is Kind.ID


# missing cells


def missing(**cells: list[str]) -> dict[str, tuple[str, list[object]]]:
    """Return, per column, the token that is written and the values that are read."""
    strings = pl.DataFrame(cells)
    inferred = infer_text(strings)
    frame = typed(strings.lazy(), inferred).collect()
    return {name: (inferred.schema[name].missing, frame[name].to_list()) for name in cells}


def test_token_among_numbers_is_the_files_own() -> None:
    found = missing(n=["1", "NA"], text=["NA", "x"], full=["a", "b"])
    assert found == {"n": ("NA", [1, None]), "text": ("NA", [None, "x"]), "full": ("NA", ["a", "b"])}


def test_token_among_texts_alone_is_a_category() -> None:
    assert missing(text=["NA", "x"], n=["1", "2"])["text"] == ("", ["NA", "x"])


@pytest.mark.parametrize("token", ["?", "-", ".", "k. A.", "unknown"])
def test_what_may_be_a_category_elsewhere_counts_in_their_own_column(token: str) -> None:
    found = missing(n=["1", token], text=[token, "x"])
    assert found == {"n": (token, [1, None]), "text": ("", [token, "x"])}


@pytest.mark.parametrize("value", ["true", "2020-01-05", "1.5"])
def test_tokens_count_among_all_typed_values(value: str) -> None:
    assert missing(a=[value, "#N/A", ""])["a"][1][1:] == [None, None]


def test_most_frequent_token_is_written() -> None:
    assert missing(a=["1", "NA", "", ""])["a"][0] == ""
    assert missing(a=["1", "NA", "NA", ""])["a"][0] == "NA"


def test_named_tokens_replace_the_well_known_ones() -> None:
    strings = pl.DataFrame({"n": ["1", "999", ""], "text": ["999", "NA", ""]})
    inferred = infer_text(strings, ReadOptions(missing=("999",)))
    assert typed(strings.lazy(), inferred).collect().rows() == [(1, None), (None, "NA"), (None, "")]


def test_types_are_proved_beyond_the_first_rows() -> None:
    assert column(*["1"] * 3_000, "x").dtype == "String"
    assert column(*[""] * 3_000, "2020-01-05").kind is Kind.DATETIME
    assert column(*["NA"] * 3_000, "1.5").dtype == "Float64"


# decimal commas


def test_decimal_comma_is_proved_by_one_column_and_refuted_by_another() -> None:
    def found(**cells: list[str]) -> tuple[bool, list[str]]:
        schema = infer_text(pl.DataFrame(cells), dialect=Dialect(delimiter=";")).schema
        return schema.dialect.decimal_comma, [column.dtype for column in schema]

    assert found(a=["1,5"], b=["1,234"]) == (True, ["Float64", "Float64"])
    assert found(a=["1,234"]) == (False, ["String"])
    assert found(a=["1,5"], b=["2.5"]) == (False, ["String", "Float64"])
    assert found(a=["1,5"], b=["2"]) == (True, ["Float64", "Int64"])


# stored types


@pytest.mark.parametrize(
    ("values", "kind", "decimals"),
    [
        ([1, 2], Kind.NUMERIC, 0),
        ([1.0, 2.0, None], Kind.NUMERIC, 0),
        ([1.5, 2.25], Kind.NUMERIC, 2),
        ([0.1234567], Kind.NUMERIC, None),
        ([True, None], Kind.BOOLEAN, None),
        ([date(2020, 1, 5)], Kind.DATETIME, None),
        (["1", "2"], Kind.CATEGORICAL, None),
        (several(20), Kind.ID, None),
        (list(range(20)), Kind.ID, 0),
    ],
)
def test_stored_types_say_the_kind(values: list[object], kind: Kind, decimals: int | None) -> None:
    found = stored(values)
    assert (found.kind, found.decimals) == (kind, decimals)


def test_infinite_number_names_its_column() -> None:
    with pytest.raises(Exception, match="column 'a': an infinite number"):
        stored([float("inf")])


# forms


@pytest.mark.parametrize(
    "dtype",
    [
        pl.Int8(),
        pl.UInt64(),
        pl.Float32(),
        pl.String(),
        pl.Boolean(),
        pl.Date(),
        pl.Datetime("ms"),
        pl.Datetime("ns", "UTC"),
    ],
)
def test_names_of_types_are_read_back(dtype: pl.DataType) -> None:
    name = dtype_name(dtype)
    assert name is not None
    assert polars_dtype(name) == dtype


def test_types_without_a_name_have_none() -> None:
    assert dtype_name(pl.List(pl.Int8())) is None
    with pytest.raises(ValueError, match="no storage type"):
        polars_dtype("List")


def test_offsets_are_minutes_east() -> None:
    assert [offset_minutes(text) for text in ("Z", "+02:00", "-0330", "%d-%m-%Y")] == [0, 120, -210, None]


def test_reading_is_null_where_the_text_means_nothing() -> None:
    number = Column("a", Kind.NUMERIC, "Int8")
    assert pl.DataFrame({"a": ["+07", "1.0", "200", "x"]}).select(reading(number))["a"].to_list() == [
        7,
        None,
        None,
        None,
    ]


def test_a_long_tables_ids_and_constants_are_proved_on_all_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("synthcli.inference.kinds._DISTINCT_ROWS", 30)
    frame = pl.DataFrame(
        {
            "repeats_late": [f"k{i % 39}" for i in range(40)],
            "unique": [f"k{i}" for i in range(40)],
            "second_late": ["a"] * 39 + ["b"],
            "constant": ["a"] * 40,
        }
    )
    found = infer_typed(frame, ReadOptions()).schema
    assert [column.kind for column in found] == [Kind.CATEGORICAL, Kind.ID, Kind.CATEGORICAL, Kind.CATEGORICAL]
    assert ["same value" in " ".join(column.doubts) for column in found] == [False, False, False, True]


def test_floats_in_their_shortest_form_are_beyond_doubt_and_longer_ones_are_not() -> None:
    assert column("0.038075906433423026", "1.5").doubts == ()
    assert "digits" in column("0.03807590643342302600001", "1.5").doubts[0]
