"""Lineage: depth and real share by hand, laws of mixing, sidecars that belong to their file and such that do not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from examples import MIXED, mixed_table
from hypothesis import given
from hypothesis import strategies as st

from synthcli import __version__
from synthcli.lineage import (
    Lineage,
    Parent,
    content_sha256,
    mixed,
    of_sample,
    of_source,
    read,
    real,
    sidecar,
    with_found,
    write_sidecar,
)
from synthcli.tables import write_table
from synthcli.tables.footer import parquet_footer

REAL = Parent("a" * 64, "real", 0, 1.0, "train.parquet", 300)
SYNTHETIC = Parent("b" * 64, "synthetic", 1, 0.0, "synthetic.csv", 100)
GENERATOR = {"kind": "gaussian_copula", "version": 1, "fingerprint": "f"}
SAMPLED = of_sample(REAL, generator=GENERATOR, seed=7)

PARTS = st.builds(
    lambda depth, share, rows: Parent(
        None, "real" if not depth else "augmented" if share else "synthetic", depth, share if depth else 1.0, "p", rows
    ),
    st.integers(0, 4),
    st.sampled_from([0.0, 0.25, 0.5]),
    st.integers(1, 1000),
)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n2,y\n")
    return path


def test_a_sample_is_one_generation_deeper_than_what_was_learned_from() -> None:
    assert (SAMPLED.kind, SAMPLED.depth, SAMPLED.real_share) == ("synthetic", 1, 0.0)
    again = of_sample(SAMPLED.as_parent("synthetic.csv", 100, None), generator=GENERATOR, seed=8)
    assert again.depth == 2
    assert again.parents[0].depth == 1


def test_three_real_rows_to_one_synthetic_are_augmented_with_a_real_share_of_three_quarters() -> None:
    lineage = mixed([REAL, SYNTHETIC])
    assert (lineage.kind, lineage.depth, lineage.real_share) == ("augmented", 1, 0.75)
    assert lineage.parents == (REAL, SYNTHETIC)


def test_parts_of_one_kind_stay_of_that_kind() -> None:
    assert mixed([REAL, REAL]).is_real
    assert mixed([SYNTHETIC, SYNTHETIC]).kind == "synthetic"
    assert mixed([]).is_real


def test_rounding_takes_no_share_beyond_those_that_are_mixed() -> None:
    parts = [Parent(None, "augmented", 1, 0.25, "p", rows) for rows in (1, 144, 334, 961, 145)]
    assert mixed(parts).real_share == 0.25


@given(st.lists(PARTS, min_size=1, max_size=5), st.randoms())
def test_mixing_is_bounded_by_its_parts_in_any_order(parts: list[Parent], shuffle) -> None:
    lineage = mixed(parts)
    assert lineage.depth == max(part.depth for part in parts)
    shares = [part.real_share for part in parts]
    assert min(shares) <= lineage.real_share <= max(shares)
    shuffle.shuffle(parts)
    other = mixed(parts)
    assert (other.kind, other.depth) == (lineage.kind, lineage.depth)
    assert other.real_share == pytest.approx(lineage.real_share)


@given(PARTS, PARTS, PARTS)
def test_mixing_in_two_steps_is_mixing_at_once(a: Parent, b: Parent, c: Parent) -> None:
    two = mixed([a, b]).as_parent("ab", a.rows + b.rows, None)
    stepwise, at_once = mixed([two, c]), mixed([a, b, c])
    assert (stepwise.kind, stepwise.depth) == (at_once.kind, at_once.depth)
    assert stepwise.real_share == pytest.approx(at_once.real_share)


@pytest.mark.parametrize(
    ("kind", "depth", "share"),
    [
        ("real", 1, 1.0),
        ("real", 0, 0.9),
        ("synthetic", 0, 0.0),
        ("synthetic", 1, 0.5),
        ("augmented", 0, 0.5),
        ("x", 1, 0.0),
    ],
)
def test_what_contradicts_itself_is_no_lineage(kind: str, depth: int, share: float) -> None:
    with pytest.raises(ValueError, match="no lineage"):
        Lineage(kind, depth, share)  # type: ignore[arg-type]


def test_rows_that_were_recognised_make_a_real_table_augmented() -> None:
    found = Parent("c" * 64, "synthetic", 1, 0.0, "sampled here", 60)
    lineage = with_found(real(), found, 1000)
    assert (lineage.kind, lineage.depth, lineage.real_share) == ("augmented", 1, 0.94)
    assert with_found(SAMPLED, found, 1000) == SAMPLED


def test_a_sidecar_says_what_was_written(csv: Path) -> None:
    write_sidecar(csv, SAMPLED, 2)
    assert sidecar(csv).name == "t.csv.lineage.json"
    known = read(csv)
    assert known is not None
    assert (known.lineage, known.source, known.rows, known.mismatch) == (SAMPLED, "sidecar", 2, "")
    document = json.loads(sidecar(csv).read_text())
    assert (document["schema_version"], document["file"], document["rows"]) == (1, "t.csv", 2)
    assert document["sha256"] == content_sha256([csv])
    assert document["tool"] == f"synthcli {__version__}"


def test_the_same_lineage_gives_the_same_bytes(csv: Path) -> None:
    first = write_sidecar(csv, SAMPLED, 2).read_bytes()
    assert write_sidecar(csv, SAMPLED, 2).read_bytes() == first


def test_nothing_is_known_of_a_file_without_a_record(csv: Path, tmp_path: Path) -> None:
    assert read(csv) is None
    write_table(mixed_table(5, 1), MIXED, tmp_path / "t.parquet")
    assert read(tmp_path / "t.parquet") is None


def test_a_sidecar_beside_other_bytes_is_no_evidence(csv: Path) -> None:
    write_sidecar(csv, SAMPLED, 2)
    csv.write_text(csv.read_text() + "3,z\n")
    known = read(csv)
    assert known is not None
    assert known.lineage is None
    assert "SHA-256" in known.mismatch
    origin = of_source([csv], 3)
    assert origin.lineage.is_real
    assert origin.warnings == (known.mismatch,)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1, "kind": "synthetic"}', "\x00"])
def test_a_broken_sidecar_is_no_evidence(csv: Path, text: str) -> None:
    sidecar(csv).write_text(text)
    known = read(csv)
    assert known is not None
    assert known.lineage is None
    assert "is no lineage" in known.mismatch


def test_a_sidecar_of_another_version_is_no_evidence(csv: Path) -> None:
    path = write_sidecar(csv, SAMPLED, 2)
    path.write_text(path.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    known = read(csv)
    assert known is not None
    assert "another version" in known.mismatch


def test_a_parquet_file_alone_says_how_deep_it_is_and_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(mixed_table(5, 1), MIXED, path, metadata=SAMPLED.metadata())
    footer = parquet_footer(path)
    assert footer is not None
    assert set(footer.metadata) - {"ARROW:schema"} == {"synthcli.depth", "synthcli.real_share", "synthcli.version"}
    known = read(path)
    assert known is not None
    assert known.lineage == Lineage("synthetic", 1, 0.0)
    assert (known.source, known.rows) == ("parquet", 5)


@pytest.mark.parametrize(
    ("depth", "share", "kind"), [("0", "1.0", "real"), ("2", "0.0", "synthetic"), ("2", "0.25", "augmented")]
)
def test_the_kind_follows_from_depth_and_real_share(tmp_path: Path, depth: str, share: str, kind: str) -> None:
    stored = {"synthcli.depth": depth, "synthcli.real_share": share, "synthcli.version": "0.1.0"}
    write_table(mixed_table(5, 1), MIXED, tmp_path / "t.parquet", metadata=stored)
    known = read(tmp_path / "t.parquet")
    assert known is not None
    assert known.lineage is not None
    assert known.lineage.kind == kind


@pytest.mark.parametrize("depth", ["deep", "-1", "0"], ids=["word", "negative", "contradiction"])
def test_metadata_that_make_no_sense_say_nothing(tmp_path: Path, depth: str) -> None:
    stored = {"synthcli.depth": depth, "synthcli.real_share": "0.0", "synthcli.version": "0.1.0"}
    write_table(mixed_table(5, 1), MIXED, tmp_path / "t.parquet", metadata=stored)
    assert read(tmp_path / "t.parquet") is None


def test_the_footer_speaks_where_the_sidecar_is_another_files(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write_table(mixed_table(5, 1), MIXED, path, metadata=SAMPLED.metadata())
    write_sidecar(path, SAMPLED, 5)
    write_table(mixed_table(6, 1), MIXED, path, metadata=SAMPLED.metadata())
    known = read(path)
    assert known is not None
    assert known.source == "parquet"
    assert known.mismatch


def test_a_folders_lineage_is_that_of_its_parts(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.csv", "b.csv", "c.parquet")]
    for path, rows in zip(paths, (30, 50, 20), strict=True):
        write_table(mixed_table(rows, rows), MIXED, path)
    write_sidecar(paths[1], SAMPLED, 50)
    origin = of_source(paths, 100)
    assert [part.rows for part in origin.lineage.parents] == [30, 50, 20]
    assert (origin.lineage.kind, origin.lineage.depth, origin.lineage.real_share) == ("augmented", 1, 0.5)
    assert origin.sha256 == content_sha256(paths) != content_sha256(paths[::-1])


def test_a_single_file_keeps_its_own_record(csv: Path) -> None:
    write_sidecar(csv, SAMPLED, 2)
    assert of_source([csv], 2) == (SAMPLED, content_sha256([csv]), ())


def test_standard_input_is_real_by_declaration() -> None:
    assert of_source([Path("-")], 5) == (real(), None, ())


def test_a_damaged_parquet_file_has_no_footer(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(b"PAR1 and then nothing")
    assert parquet_footer(path) is None
