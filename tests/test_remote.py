"""Remote files: what is a URL, what is shown of it, copies down and up, and errors that hold no secret."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import polars as pl
import pytest

from synthcli import remote
from synthcli.artifacts import delivered, sha256
from synthcli.config import Config, as_plain, load
from synthcli.config.showing import as_stored
from synthcli.errors import BadTableError, EngineError, MissingFileError, SynthcliError, UsageError
from synthcli.lineage import content_sha256, of_sample, of_source, put_sidecar, real
from synthcli.tables import open_table
from synthcli.tables.files import resolve

fsspec = pytest.importorskip("fsspec")


@pytest.fixture
def memory() -> Iterator[str]:
    """Return the URL of an empty folder in memory."""
    store = fsspec.filesystem("memory")
    store.store.clear()
    store.pseudo_dirs[:] = [""]
    yield "memory://lake"
    store.store.clear()
    store.pseudo_dirs[:] = [""]


def write(url: str, text: str) -> None:
    with fsspec.open(url, "w", auto_mkdir=True) as file:
        file.write(text)


def text_of(url: str) -> str:
    return remote.read_bytes(url).decode()


@pytest.mark.parametrize("text", ["s3://b/k", "memory://a", "file:///a", "abfs+x.1-y://a"])
def test_a_scheme_makes_a_url(text: str) -> None:
    assert remote.is_url(text)


@pytest.mark.parametrize("text", ["a.csv", "/a/b", "-", "s3:/b/k", "C:/a", "a/s3://b", "1s3://b", ""])
def test_a_path_is_no_url(text: str) -> None:
    assert not remote.is_url(text)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://anna:secret@host/a.csv", "ftp://***@host/a.csv"),
        ("ftp://anna:se@cret@host/a.csv", "ftp://***@host/a.csv"),
        ("https://host/a.csv?X-Amz-Signature=secret&b=c", "https://host/a.csv?***"),
        ("zip://a.csv::sftp://anna:secret@host/a.zip", "zip://a.csv::sftp://***@host/a.zip"),
        ("s3://bucket/part-?.csv", "s3://bucket/part-?.csv"),
        ("abfs://container@account/a.csv", "abfs://container@account/a.csv"),
        ("s3://bucket/anna@host/a.csv", "s3://bucket/anna@host/a.csv"),
        ("a@b/c?d=e", "a@b/c?d=e"),
        ("data.path=[ftp://anna:secret@host/a.csv, b]", "data.path=[ftp://***@host/a.csv, b]"),
        ("curl --url='https://anna:secret@host/x?k=secret' a@b", "curl --url='https://***@host/x?***' a@b"),
    ],
)
def test_what_is_secret_is_not_shown(url: str, told: str) -> None:
    assert remote.shown(url) == told
    assert remote.shown(told) == told
    assert remote.has_credentials(url) == remote.has_credentials(told) == (url != told)


def test_the_parts_of_a_url() -> None:
    assert remote.name("s3://b/a/x.csv") == remote.name("s3://b/a/x.csv/") == "x.csv"
    assert remote.name("https://h/a/x.csv?token=1") == "x.csv"
    assert remote.joined("s3://b/a/", "x.csv") == remote.joined("s3://b/a", "x.csv") == "s3://b/a/x.csv"
    assert remote.parent("s3://b/a/x.csv") == "s3://b/a"
    assert remote.parent("s3://b") == "s3://b"
    assert remote.identity("S3A://b//a/") == remote.identity("s3://b/a")


def test_a_file_url_is_a_path() -> None:
    assert remote.plain("file:///a/b.csv") == "/a/b.csv"
    assert remote.plain("s3://a/b.csv") == "s3://a/b.csv"


def test_what_an_output_would_replace() -> None:
    assert remote.replaces("s3://b/x.csv", "s3a://b//x.csv")
    assert remote.replaces("s3://b/parts/x.csv", "s3://b/parts")
    assert remote.replaces("s3://b/parts/x.csv", "s3://b/parts/*.csv")
    assert not remote.replaces("s3://b/other/x.csv", "s3://b/parts")


def test_up_and_down_again(memory: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    url = remote.joined(memory, "folder/a")
    assert not remote.exists(url)
    remote.put(tmp_path / "a", url)
    remote.get(url, tmp_path / "b")
    assert (tmp_path / "b").read_text() == "1"
    assert remote.kind(url) == "file"
    assert remote.kind(f"{memory}/folder") == "folder"
    assert remote.read_bytes(url, 0, 1) == b"1"
    with remote.opened(url) as stream:
        assert stream.read() == b"1"


def test_names_are_those_of_files_only(memory: str) -> None:
    for name in ("b", "a", ".c", "below/d"):
        write(f"{memory}/{name}", "x")
    assert remote.names(memory) == remote.names(f"{memory}/") == [".c", "a", "b"]
    assert remote.names(f"{memory}/nowhere") == []
    assert remote.matching(f"{memory}/*") == [f"{memory}/a", f"{memory}/b"]
    assert remote.matching(f"{memory}/.*") == [f"{memory}/.c"]


def test_moving_replaces_and_removing_twice_is_once(memory: str) -> None:
    write(f"{memory}/a", "1")
    write(f"{memory}/b", "2")
    remote.move(f"{memory}/a", f"{memory}/b")
    assert remote.names(memory) == ["b"]
    assert text_of(f"{memory}/b") == "1"
    remote.remove(f"{memory}/b")
    remote.remove(f"{memory}/b")
    assert remote.names(memory) == []


def test_a_file_system_gets_a_file_by_renaming(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    remote.put(tmp_path / "a", f"file://{tmp_path}/new/b")
    remote.put(tmp_path / "a", f"file://{tmp_path}/new/b")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["b"]


def test_an_upload_that_breaks_off_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_text("new")
    (tmp_path / "b").write_text("old")
    monkeypatch.setattr(fsspec.filesystem("file"), "mv", lambda *_: 1 / 0)
    with pytest.raises(EngineError, match="cannot be written"):
        remote.put(tmp_path / "a", f"file://{tmp_path}/b")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    assert (tmp_path / "b").read_text() == "old"


def test_what_is_not_finished_is_not_delivered(memory: str) -> None:
    write(f"{memory}/a", "old")
    with suppress(ZeroDivisionError), delivered(f"{memory}/a") as local:
        local.write_text("half")
        raise ZeroDivisionError
    assert text_of(f"{memory}/a") == "old"
    with delivered(f"{memory}/a") as local:
        local.write_text("new")
    assert text_of(f"{memory}/a") == "new"
    assert not local.exists()


def test_a_file_that_changes_while_it_is_read_is_read_again(
    memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(f"{memory}/a", "1")
    store = fsspec.filesystem("memory")
    original, written = store.get_file, iter("23")

    def copied(source: str, local: str) -> None:
        original(source, local)
        if (text := next(written, None)) is not None:
            write(f"{memory}/a", text)

    monkeypatch.setattr(store, "get_file", copied)
    remote.get(f"{memory}/a", tmp_path / "a")
    assert (tmp_path / "a").read_text() == "3"
    written = iter("4567")
    with pytest.raises(BadTableError, match="changes while it is read"):
        remote.get(f"{memory}/a", tmp_path / "a")


# -- tables ------------------------------------------------------------------------------------------------------------


def test_a_remote_table_is_named_by_its_url_and_read_from_a_copy(memory: str) -> None:
    write(f"{memory}/a.csv", "x,y\n1,a\n2,b\n")
    source = open_table(f"{memory}/a.csv")
    assert source.names == (f"{memory}/a.csv",)
    write(f"{memory}/a.csv", "x,y\n3,c\n")
    assert source.read()["x"].to_list() == [1, 2]
    assert content_sha256(source.paths) == sha256(source.paths[0])
    assert open_table(f"{memory}/a.csv").read()["x"].to_list() == [3]


def test_an_unchanged_file_is_copied_once(memory: str) -> None:
    write(f"{memory}/a.csv", "x\n1\n")
    first, second = resolve(f"{memory}/a.csv"), resolve(f"{memory}/a.csv")
    assert first == second


def test_a_remote_folder_follows_the_rules_of_a_local_one(memory: str) -> None:
    for name, text in (
        ("b.csv", "x\n2\n"),
        ("a.csv", "x\n1\n"),
        (".hidden.csv", "x\n9\n"),
        ("a.csv.lineage.json", "{}"),
        ("notes.md", "x"),
        ("below/c.csv", "x\n9\n"),
    ):
        write(f"{memory}/parts/{name}", text)
    assert [part.name for part in resolve(f"{memory}/parts/")] == [f"{memory}/parts/a.csv", f"{memory}/parts/b.csv"]
    assert open_table(f"{memory}/parts").read()["x"].to_list() == [1, 2]
    assert open_table(f"{memory}/parts/*.csv*").names == (f"{memory}/parts/a.csv", f"{memory}/parts/b.csv")


def test_a_remote_file_that_is_named_twice_is_refused(memory: str) -> None:
    write(f"{memory}/a.csv", "x\n1\n")
    with pytest.raises(BadTableError, match="named twice"):
        resolve([f"{memory}/a.csv", f"{memory}/*.csv"])


def test_local_and_remote_parts_make_one_table(memory: str, tmp_path: Path) -> None:
    write(f"{memory}/a.csv", "x\n1\n")
    (tmp_path / "b.csv").write_text("x\n2\n")
    source = open_table([f"{memory}/a.csv", tmp_path / "b.csv"])
    assert source.read()["x"].to_list() == [1, 2]
    assert source.names == (f"{memory}/a.csv", str(tmp_path / "b.csv"))


def test_a_file_url_is_read_where_it_lies(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    assert open_table(f"file://{tmp_path}/a.csv").paths == (tmp_path / "a.csv",)


def test_what_is_not_there_is_said_with_the_nearest_name(memory: str) -> None:
    write(f"{memory}/flights.csv", "x\n1\n")
    with pytest.raises(MissingFileError, match=r"memory://lake/flihgts\.csv: no such file") as caught:
        resolve(f"{memory}/flihgts.csv")
    assert caught.value.hint == f"did you mean {memory}/flights.csv?"
    with pytest.raises(MissingFileError, match="no file matches"):
        resolve(f"{memory}/*.parquet")
    with pytest.raises(MissingFileError) as caught:
        resolve("memory://nowhere/x.csv")
    assert caught.value.hint == "memory://nowhere does not exist either"


def test_a_damaged_remote_table_is_called_by_its_url(memory: str) -> None:
    write(f"{memory}/a.parquet", "PAR1 and no more")
    with pytest.raises(BadTableError, match=r"^memory://lake/a\.parquet: "):
        open_table(f"{memory}/a.parquet")


def test_the_lineage_beside_a_remote_file_is_believed_where_it_fits(memory: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    url = f"{memory}/a.csv"
    lineage = of_sample(real().as_parent("train.csv", 1, None), generator={"version": 1, "kind": "forest"}, seed=1)
    remote.put(tmp_path / "a.csv", url)
    put_sidecar(url, lineage, 1, sha256(tmp_path / "a.csv"))
    assert json.loads(remote.read_bytes(f"{url}.lineage.json"))["file"] == "a.csv"
    source = open_table(url)
    assert of_source(source.paths, 1, source.names).lineage == lineage
    write(url, "x\n2\n")
    source = open_table(url)
    origin = of_source(source.paths, 1, source.names)
    assert origin.lineage.is_real
    assert origin.warnings[0].startswith(f"{url}.lineage.json: belongs to other bytes")


def test_remote_parts_are_the_parents_of_what_is_made_of_them(memory: str) -> None:
    for name in ("a", "b"):
        write(f"{memory}/{name}.csv", "x\n1\n")
    source = open_table(memory)
    origin = of_source(source.paths, 2, source.names)
    assert [parent.name for parent in origin.lineage.parents] == ["a.csv", "b.csv"]


# -- configuration -----------------------------------------------------------------------------------------------------


def test_a_configuration_leaves_urls_alone(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("data: {path: ['s3://b/a.csv', b.csv]}\n")
    path = load(file).config.data.path
    assert isinstance(path, list)
    assert path[0] == "s3://b/a.csv"
    assert Path(path[1]).resolve() == tmp_path.resolve() / "b.csv"


def test_no_stored_configuration_holds_a_password() -> None:
    url, bare = "ftp://anna:secret@host/a.csv", "ftp://***@host/a.csv"
    config = Config.model_validate(
        {
            "data": {"path": [url, "b.csv"]},
            "augment": {"given": url},
            "validate": {"gates_add": [{"metric": "a", "max_drop_from": url}]},
            "refresh": {"after_promotion": ["upload --token secret", f"'my tool' {url}"]},
            "run": {"workers": "tcp://anna:secret@host:8786"},
        }
    )
    plain = as_stored(config)
    assert plain["data"]["path"] == [bare, "b.csv"]
    assert plain["augment"]["given"] == plain["validate"]["gates_add"][0]["max_drop_from"] == bare
    assert plain["refresh"]["after_promotion"] == ["upload", "my tool"]
    assert plain["run"]["workers"] == "tcp://***@host:8786"
    assert as_stored(Config.model_validate(plain))["data"] == plain["data"], "it is read again with a stored report"


def test_the_configuration_as_plain_data_is_the_whole_of_it() -> None:
    url = "ftp://anna:secret@host/a.csv"
    config = Config.model_validate({"data": {"path": url}, "refresh": {"after_promotion": ["upload --token x"]}})
    assert Config.model_validate(as_plain(config)) == config


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kind", "message", "hint"),
    [
        ("nosuch://a/b", UsageError, "no such scheme: nosuch://", "fsspec knows"),
        ("s3:///key", UsageError, "names no bucket", ""),
        ("s3://key:secret@bucket/a.csv", UsageError, "credentials do not belong into a URL", "environment"),
        ("gs://bucket", UsageError, "not installed", "gcsfs"),
    ],
)
def test_urls_that_lead_nowhere(
    monkeypatch: pytest.MonkeyPatch, url: str, kind: type[SynthcliError], message: str, hint: str
) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(kind, match=message) as caught:
        remote.kind(url)
    assert hint in caught.value.hint
    assert "secret" not in f"{caught.value.message}{caught.value.hint}"


def test_without_fsspec_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "fsspec"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(UsageError, match="fsspec, which is not installed") as caught:
        remote.kind("s3://bucket/key")
    assert caught.value.hint == "pip install 'synthcli[s3]'"
    with pytest.raises(UsageError) as caught:
        remote.kind("gs://bucket/key")
    assert caught.value.hint == "pip install 'fsspec'"


def test_without_s3fs_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delitem(import_module("fsspec.registry")._registry, "s3", raising=False)
    with pytest.raises(UsageError, match=r"s3://bucket/key: what reads s3:// is not installed") as caught:
        remote.kind("s3://bucket/key")
    assert caught.value.hint == "pip install 'synthcli[s3]'"


@pytest.mark.parametrize(
    ("raised", "reading", "writing"),
    [
        (FileNotFoundError("secret"), MissingFileError, MissingFileError),
        (PermissionError("secret"), BadTableError, EngineError),
        (TimeoutError("secret"), EngineError, EngineError),
        (type("NoCredentialsError", (Exception,), {})("secret"), UsageError, UsageError),
        (type("EndpointConnectionError", (Exception,), {})("secret"), EngineError, EngineError),
        (ValueError("secret"), EngineError, EngineError),
    ],
)
def test_what_a_store_raises_is_told_without_its_text(
    memory: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raised: Exception,
    reading: type[SynthcliError],
    writing: type[SynthcliError],
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise raised

    (tmp_path / "a").write_text("1")
    write(f"{memory}/a", "1")
    for name in ("get_file", "put_file"):
        monkeypatch.setattr(fsspec.filesystem("memory"), name, refuse)
    with pytest.raises(reading) as read:
        remote.get(f"{memory}/a", tmp_path / "b")
    with pytest.raises(writing) as written:
        remote.put(tmp_path / "a", f"{memory}/a")
    for caught in (read, written):
        assert caught.value.message.startswith(f"{memory}/a: ")
        assert "secret" not in f"{caught.value.message}{caught.value.hint}"
        assert caught.value.__cause__ is None


def test_a_full_disk_is_told_as_one(memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    write(f"{memory}/a", "1")
    monkeypatch.setattr(fsspec.filesystem("memory"), "get_file", full)
    with pytest.raises(OSError, match="No space left") as caught:
        remote.get(f"{memory}/a", tmp_path / "a")
    assert caught.value.filename == str(tmp_path)


def test_help_imports_no_fsspec() -> None:
    code = "import sys; from synthcli.app import run; run(['sample', '--help']); sys.exit('fsspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_remote_parquet_file_has_its_footer(memory: str, tmp_path: Path) -> None:
    pl.DataFrame({"x": [1, 2]}).write_parquet(tmp_path / "a.parquet", metadata={"synthcli.depth": "1"})
    remote.put(tmp_path / "a.parquet", f"{memory}/a.parquet")
    assert open_table(f"{memory}/a.parquet").rows() == 2
