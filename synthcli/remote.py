"""Files behind URLs (``s3://bucket/key``, ``gs://…``, ``memory://…``): whatever fsspec reads and writes.

The only room that knows fsspec, which is imported when the first URL is opened. Files are copied whole, down to a local
one or up from it; on an object store an upload appears when it is complete, so that a reader sees the old object or the
new one. Credentials and endpoints come from where the store's own tools look for them (for S3 the variables and files
of AWS); none of them, and no query of a URL, ever stands in a message: :func:`shown` is what messages, reports and
lineage call a URL. ``file://`` names a local file and needs nothing of this: see :func:`plain`.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import IO, Any, Literal
from uuid import uuid4

from synthcli.errors import BadTableError, EngineError, MissingFileError, SynthcliError, UsageError, no_room

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
#: A URL within a text, as a word of a command; quotes end it, since a command may quote a URL.
_WITHIN = re.compile(rf"""{_URL.pattern}[^\s"']*""")
#: Who asks, with or without a password; in front of Azure's accounts stands the name of a container.
_USER = re.compile(r"(?<!abfs)(?<!abfss)://[^/]*@")
#: A query; a question mark without a value after it is a sign of a glob, or of a key.
_QUERY = re.compile(r"\?[^/]*=.*")
_LOCAL = ("file://", "local://")
#: Stores of buckets with keys, where an object appears when its upload is complete.
_BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss", "oci", "r2"})
_ALIASES = {"s3a": "s3", "gcs": "gs", "abfss": "abfs"}
#: Where an upload has to be renamed into place, since a half of it would be seen.
_WHOLE = _BUCKETS | {"memory", "http", "https"}
#: What the libraries behind fsspec call it when nobody says who is asking.
_NO_CREDENTIALS = (
    "NoCredentialsError",
    "PartialCredentialsError",
    "CredentialRetrievalError",
    "ProfileNotFound",
    "TokenRetrievalError",
    "SSOTokenLoadError",
    "UnauthorizedSSOTokenError",
    "DefaultCredentialsError",
    "RefreshError",
)
#: What they call it when nobody answers.
_NO_ANSWER = (
    "EndpointConnectionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "HTTPClientError",
    "ClientConnectorError",
    "ClientConnectionError",
    "ServerTimeoutError",
    "ConnectionError",
    "TimeoutError",
)


def is_url(text: object) -> bool:
    """Whether ``text`` is a URL (``scheme://…``) and no path of a file system."""
    return isinstance(text, str) and _URL.match(text) is not None


def plain(where: str) -> str:
    """Return ``where``, a ``file://`` URL as the path that it names: local files need no copy."""
    return next((where.removeprefix(prefix) for prefix in _LOCAL if where.startswith(prefix)), where)


def shown(where: str | Path) -> str:
    """Return a path, a URL or a text with URLs in it as it may be shown and kept: without users, passwords and queries.

    >>> shown("ftp://anna:secret@host/a.csv?token=1"), shown("data.path=ftp://anna:secret@host/a.csv")
    ('ftp://***@host/a.csv?***', 'data.path=ftp://***@host/a.csv')
    """
    text = str(where)
    return _bare(text) if is_url(text) else _WITHIN.sub(lambda url: _bare(url[0]), text)


def has_credentials(text: str) -> bool:
    """Whether there is in a URL, or in a text with URLs in it, what :func:`shown` hides, or has hidden.

    >>> has_credentials("data.path=ftp://anna:secret@host/a.csv"), has_credentials("ftp://***@host/a.csv")
    (True, True)
    """
    told = shown(text)
    return "://***@" in told or "?***" in told


def _bare(url: str) -> str:
    return _QUERY.sub("?***", _USER.sub("://***@", url))


def name(url: str) -> str:
    """Return the last part of a URL: the file's name, or the folder's."""
    return shown(url).partition("://")[2].rstrip("/").rpartition("/")[2].partition("?***")[0]


def joined(folder: str, name: str) -> str:
    """Return the URL of the file ``name`` in the folder (prefix) ``folder``."""
    return f"{folder.rstrip('/')}/{name}" if not folder.endswith("://") else f"{folder}{name}"


def parent(url: str) -> str:
    """Return the URL of the folder (prefix, bucket) that ``url`` lies in, the bucket of a bucket."""
    head, _, rest = url.partition("://")
    above = rest.rstrip("/").rpartition("/")[0]
    return f"{head}://{above or rest.rstrip('/')}"


def identity(url: str) -> str:
    """Return what two URLs of one file have in common, however many slashes they were written with."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.lower()
    return f"{_ALIASES.get(scheme, scheme)}://{re.sub('/+', '/', rest).strip('/')}"


def replaces(url: str, named: str) -> bool:
    """Whether a file written to ``url`` would replace, or become a part of, what the URL ``named`` (or its glob) names.

    >>> replaces("s3://b/parts/x.csv", "s3://b/parts/"), replaces("s3://b/x.csv", "s3://b/y.csv")
    (True, False)
    """
    place, other = identity(url), identity(named)
    return other in (place, identity(parent(url))) or fnmatchcase(place, other)


def kind(url: str) -> Literal["file", "folder"] | None:
    """Return what is there: a file, a folder (a prefix of keys, a bucket), or nothing."""
    with _told(url):
        info = _info(url)
    return None if info is None else "folder" if info["type"] == "directory" else "file"


def exists(url: str) -> bool:
    """Whether a file or a folder is there."""
    return kind(url) is not None


def names(url: str) -> list[str]:
    """Return the names of the files that lie directly in a folder (prefix), sorted; none where there is no folder.

    What is on the store now: nothing is remembered of an earlier look.
    """
    with _told(url), suppress(FileNotFoundError, NotADirectoryError):
        system, path = _at(url)
        system.invalidate_cache()
        found = system.ls(path, detail=True)
        own = str(path).strip("/")
        files = (str(each["name"]) for each in found if each["type"] == "file")
        return sorted(file.rpartition("/")[2] for file in files if file.strip("/") != own and not file.endswith("/"))
    return []


def matching(pattern: str) -> list[str]:
    """Return the URLs of the files that a glob matches, sorted; ``*`` matches no name that begins with a dot."""
    with _told(pattern):
        system, path = _at(pattern)
        system.invalidate_cache()
        found = system.glob(path, detail=True)
        files = [str(file).lstrip("/") for file, info in found.items() if info["type"] == "file"]
        seen = files if "/." in path else [file for file in files if "/." not in f"/{file}"]
        own = path.lstrip("/")
        if not pattern.endswith(own):
            return sorted(str(system.unstrip_protocol(file)) for file in seen)
        host = pattern.removesuffix(own)  # with the name of a server, which the paths on it lack
        return sorted(f"{host}{file}" for file in seen)


def version(url: str) -> str:
    """Return what tells one state of a file from another (ETag, size, time of change), as far as the store says.

    Raises ``MissingFileError`` where there is no file.
    """
    with _told(url):
        info = _info(url)
        if info is None or info["type"] != "file":
            raise FileNotFoundError
    return repr(sorted((key, repr(value)) for key, value in info.items()))


def get(url: str, local: Path) -> None:
    """Copy a file to ``local``, whole and as it was at one moment.

    Raises ``MissingFileError`` where there is none, ``BadTableError`` where it may not be read or changes all the time,
    ``EngineError`` where nobody answers, and ``OSError`` where the local disk is full.
    """
    for _ in range(3):
        before = version(url)
        with _told(url, onto=local.parent):
            system, path = _at(url)
            system.get_file(path, str(local))
        if version(url) == before:
            return
    raise BadTableError(f"{shown(url)}: the file changes while it is read", "wait until it is written, and try again")


def read_bytes(url: str, start: int | None = None, end: int | None = None) -> bytes:
    """Return a file's bytes, or those from ``start`` to before ``end``; raises what :func:`get` raises."""
    with _told(url):
        system, path = _at(url)
        return bytes(system.cat_file(path, start=start, end=end))


@contextmanager
def opened(url: str) -> Iterator[IO[bytes]]:
    """Yield a file to be read as a stream; raises what :func:`get` raises."""
    with _told(url):
        system, path = _at(url)
        with system.open(path, "rb") as stream:
            yield stream


def put(local: Path, url: str) -> None:
    """Copy a finished local file to ``url``; whoever reads it sees what was there before, or all of the new one.

    Object stores show an upload when it is complete; elsewhere it goes under a hidden name and is renamed. Folders are
    made as needed, buckets are not. Raises ``UsageError`` for a URL without a key, ``MissingFileError`` where there is
    no such bucket, ``EngineError`` where it may not be written or nobody answers.
    """
    with _told(url, writing=True):
        system, path = _at(url)
        scheme = url.partition("://")[0].lower()
        if scheme in _BUCKETS and "/" not in path.strip("/"):
            raise UsageError(
                f"{shown(url)}: names a bucket and no key, expected a file", f"e.g. {joined(shown(url), 'x.parquet')}"
            )
        if scheme in _WHOLE:
            system.put_file(str(local), path)
            return
        above, _, own = path.rpartition("/")
        system.makedirs(above or "/", exist_ok=True)
        hidden = f"{above}/.{own}.{uuid4().hex}.tmp"
        try:
            system.put_file(str(local), hidden)
            system.mv(hidden, path)
        except BaseException:
            with suppress(Exception):
                system.rm_file(hidden)
            raise


def move(source: str, target: str) -> None:
    """Give a file another name on the same store, replacing what has it; an object store copies, then removes."""
    with _told(source, writing=True):
        system, path = _at(source)
        other, place = _at(target)
        if other is not system:
            raise UsageError(f"{shown(target)}: lies on another store than {shown(source)}", "copy it down and up")
        system.mv(path, place)


def remove(url: str) -> None:
    """Remove a file; one that is not there is fine."""
    with _told(url, writing=True), suppress(FileNotFoundError):
        system, path = _at(url)
        system.invalidate_cache()
        system.rm_file(path)


def check_target(url: str) -> None:
    """Raise, before any work is done, what :func:`put` would raise as far as that can be told: by looking only.

    Who may write and not look passes.
    """
    with _told(url, writing=True), suppress(PermissionError, NotImplementedError):
        system, path = _at(url)
        system.invalidate_cache()
        if url.partition("://")[0].lower() in _BUCKETS:
            system.info(path.strip("/").partition("/")[0])  # which says why not, where it cannot


def _info(url: str) -> dict[str, Any] | None:
    system, path = _at(url)
    system.invalidate_cache()
    try:
        return dict(system.info(path))
    except (FileNotFoundError, NotADirectoryError) as error:
        if _kinds(error).intersection(_NO_ANSWER):  # http says so of a host that nobody answers for, too
            raise
        return None


def _at(url: str) -> tuple[Any, str]:
    """Return the file system and the path on it; raises ``UsageError`` where there is no way to it."""
    scheme, _, rest = url.partition("://")
    extra = "synthcli[s3]" if scheme in ("s3", "s3a") else "fsspec"
    try:
        from fsspec.core import url_to_fs
        from fsspec.registry import known_implementations
    except ImportError:
        raise UsageError(
            f"{shown(url)}: {scheme}:// needs fsspec, which is not installed", f"pip install '{extra}'"
        ) from None
    if scheme in _BUCKETS:
        _check_bucket(url, rest)
    try:
        system, path = url_to_fs(url)
    except ImportError:
        needed = str(known_implementations.get(scheme, {}).get("err", f"install what fsspec needs for {scheme}"))
        hint = f"pip install '{extra}'" if extra != "fsspec" else needed
        raise UsageError(f"{shown(url)}: what reads {scheme}:// is not installed", hint) from None
    except ValueError:
        known = "s3, gs, az, sftp, memory and file"
        raise UsageError(f"{shown(url)}: no such scheme: {scheme}://", f"fsspec knows {known}, among others") from None
    return system, str(path)


def _check_bucket(url: str, rest: str) -> None:
    bucket = rest.partition("/")[0]
    if not bucket:
        raise UsageError(f"{shown(url)}: names no bucket, expected {url.partition('://')[0]}://bucket/key")
    if "@" in bucket and shown(url) != url:
        raise UsageError(
            f"{shown(url)}: credentials do not belong into a URL",
            "give them as the store's own tools want them, in the environment",
        )


@contextmanager
def _told(url: str, *, writing: bool = False, onto: Path | None = None) -> Iterator[None]:
    """Turn what fsspec and the libraries behind it raise, whose text may hold secrets, into errors that do not."""
    try:
        yield
    except SynthcliError:
        raise
    except Exception as error:  # noqa: BLE001 - every store raises kinds of its own
        if onto is not None and no_room(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(onto)) from None
        raise _in_our_words(url, error, writing) from None


def _in_our_words(url: str, error: Exception, writing: bool) -> SynthcliError:
    where, scheme = shown(url), url.partition("://")[0]
    kinds = _kinds(error)
    if kinds.intersection(_NO_CREDENTIALS):
        return UsageError(
            f"{where}: no credentials for {scheme}:// were found",
            "set them as for the store's own tools, e.g. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
        )
    if kinds.intersection(_NO_ANSWER) and scheme.lower() not in _BUCKETS:
        return EngineError(f"{where}: the host cannot be reached", "check its name and port, and the network")
    if kinds.intersection(_NO_ANSWER):
        return EngineError(
            f"{where}: the store does not answer", "check the network and the endpoint, e.g. AWS_ENDPOINT_URL"
        )
    if isinstance(error, FileNotFoundError):
        return MissingFileError(f"{where}: no such {'bucket or folder' if writing else 'file'}", "check the name")
    if isinstance(error, PermissionError):
        told = f"{where}: may not be {'written' if writing else 'read'}, or not with these credentials"
        hint = "check the credentials, the name and the bucket's policy"
        return EngineError(told, hint) if writing else BadTableError(told, hint)
    doing = "written" if writing else "read"
    return EngineError(f"{where}: cannot be {doing} ({type(error).__name__})", "check the URL, and try it again")


def _kinds(error: BaseException) -> set[str]:
    """Return the names of all classes of an error and of those behind it."""
    return {each.__name__ for link in _chain(error) for each in type(link).__mro__}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
