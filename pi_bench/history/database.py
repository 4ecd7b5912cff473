"""The database of results: one SQLite file, safe with several writers and with a kill in mid-write.

SQLite's rollback journal makes each write whole or nothing. A writer waits for others for up to ten seconds.
The file holds the number of its schema (``user_version``). An older schema is migrated when the file is
opened; a newer one is refused and left as it is.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import json
import sqlite3
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from pi_bench.errors import InputError, UsageError
from pi_bench.history.facts import RunFacts, facts_of
from pi_bench.history.location import own_path
from pi_bench.history.query import Query, utc_time
from pi_bench.unknown_name import unknown_name

_BUSY_S = 10.0
_MAX_DOCUMENT_BYTES = 1 << 26
_COLUMNS = tuple(field.name for field in dataclasses.fields(RunFacts))
_FLAGS = ("verified", "interrupted")

_MIGRATIONS = (
    (
        """CREATE TABLE runs (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            kind TEXT NOT NULL,
            time TEXT NOT NULL,
            network TEXT NOT NULL,
            digest TEXT, protocol TEXT, mode TEXT, link TEXT, threads INTEGER,
            cpu_model TEXT, instruction_set TEXT, commit_id TEXT,
            run_count INTEGER, relu_count INTEGER,
            online_s REAL, offline_s REAL, online_bytes INTEGER, offline_bytes INTEGER, rounds REAL,
            verified INTEGER, interrupted INTEGER,
            content_hash BLOB NOT NULL UNIQUE)""",
        "CREATE TABLE documents (run INTEGER PRIMARY KEY REFERENCES runs (id), content BLOB NOT NULL)",
        "CREATE TABLE tags (name TEXT PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs (id))",
        "CREATE INDEX runs_by_time ON runs (time)",
    ),
    (
        "ALTER TABLE runs ADD COLUMN online_floor_s REAL",
        "ALTER TABLE runs ADD COLUMN offline_floor_s REAL",
    ),
    ("ALTER TABLE runs ADD COLUMN input_count INTEGER",),
)
"""The statements that lead from each schema to the next one. The first ones make the tables."""

SCHEMA = len(_MIGRATIONS)


@dataclass(frozen=True, slots=True)
class StoredRun:
    """One run of the history: its number, its tags and its facts.

    >>> StoredRun(1, ("baseline",), RunFacts("latency", "2026-11-29T12:00:00+00:00", "resnet18")).tags
    ('baseline',)
    """

    id: int
    tags: tuple[str, ...]
    facts: RunFacts


class History:
    """The runs that were kept, and a context that closes the file.

    Args:
        path: the file. The folder is made if it is that of the default path (`own_path`). A folder that the
            user named must exist, because a mistyped path would hide the run in a new folder.
        create: whether a file that does not exist is made.

    Raises:
        UsageError: there is no such file, and it is not to be made.
        InputError: the file is no history, is damaged, was made by a newer version, or cannot be opened, or
            its folder does not exist.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, History(Path(folder) / "history.db") as history:
    ...     history.runs()
    []
    """

    def __init__(self, path: Path, *, create: bool = True) -> None:
        self.path = path
        if not create and not path.exists():
            raise UsageError(
                f"there is no history {path}; pi-bench latency, accuracy and compare keep their runs there"
            )
        _require_folder(path)
        with self._explained():
            self._connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None)
        try:
            with self._explained():
                self._connection.execute("PRAGMA foreign_keys = ON")
                self._migrate()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def add(self, document: Mapping[str, Any]) -> int:
        """Keeps a result, given as the values of its JSON, and returns its number.

        A result that is there already keeps its number: nothing is added twice.

        Raises:
            InputError: the document is no result, or the file cannot be written.
        """
        facts = facts_of(document)
        content = json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
        if len(content) > _MAX_DOCUMENT_BYTES:
            raise InputError(
                f"the result has {len(content):,} bytes; at most {_MAX_DOCUMENT_BYTES:,} are kept"
            )
        content_hash = hashlib.sha256(content).digest()
        values = dataclasses.asdict(facts)
        now = datetime.datetime.now(datetime.UTC).isoformat()
        values["time"] = utc_time(facts.time or now, end=False)
        names = ", ".join((*_COLUMNS, "content_hash"))
        marks = ", ".join("?" * (len(_COLUMNS) + 1))
        with self._writing():
            known = self._connection.execute("SELECT id FROM runs WHERE content_hash = ?", (content_hash,))
            if (row := known.fetchone()) is not None:
                return int(row[0])
            cursor = self._connection.execute(
                f"INSERT INTO runs ({names}) VALUES ({marks})",
                (*(values[name] for name in _COLUMNS), content_hash),
            )
            number = int(cursor.lastrowid or 0)
            self._connection.execute(
                "INSERT INTO documents (run, content) VALUES (?, ?)", (number, zlib.compress(content))
            )
        return number

    def runs(self, query: Query = Query()) -> list[StoredRun]:  # noqa: B008 (frozen)
        """Lists the selected runs, the newest first.

        Raises:
            UsageError: a time of the query is none.
            InputError: the file is damaged.
        """
        conditions, values = query.conditions()
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        limit = "" if query.limit is None else "LIMIT ?"
        if query.limit is not None:
            values.append(query.limit)
        with self._explained():
            tags = self._tags()
            rows = self._connection.execute(
                f"SELECT id, {', '.join(_COLUMNS)} FROM runs {where} ORDER BY time DESC, id DESC {limit}",
                values,
            ).fetchall()
        return [StoredRun(row[0], tuple(tags.get(row[0], ())), _facts(row[1:])) for row in rows]

    def count(self, query: Query) -> int:
        """Counts the selected runs, whatever the limit of the query.

        Raises:
            UsageError: a time of the query is none.
            InputError: the file is damaged.
        """
        conditions, values = query.conditions()
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        with self._explained():
            return int(self._connection.execute(f"SELECT count(*) FROM runs {where}", values).fetchone()[0])

    def find(self, name: str, kind: str | None = None, *, neither: Sequence[str] = ()) -> StoredRun:
        """Finds a run by its number, its tag, or ``last``, which may be that of one kind alone.

        Args:
            neither: what else the name could have named, for the message, such as "a file".

        Raises:
            UsageError: there is no such run. The message offers similar tags.
        """
        with self._explained():
            if name == "last":
                query = "SELECT max(id) FROM runs WHERE kind = coalesce(?, kind)"
                row = self._connection.execute(query, (kind,)).fetchone()
            elif name.isascii() and name.isdigit() and len(name) < 19:
                row = self._connection.execute("SELECT id FROM runs WHERE id = ?", (int(name),)).fetchone()
            else:
                row = self._connection.execute("SELECT run FROM tags WHERE name = ?", (name,)).fetchone()
            if row is None or row[0] is None:
                raise UsageError(self._unknown(name, neither))
            number = row[0]
            facts = self._connection.execute(
                f"SELECT {', '.join(_COLUMNS)} FROM runs WHERE id = ?", (number,)
            ).fetchone()
            return StoredRun(number, tuple(self._tags().get(number, ())), _facts(facts))

    def document(self, number: int) -> dict[str, Any]:
        """Returns the values of the JSON of a run.

        Raises:
            InputError: the file is damaged.
            KeyError: there is no run of that number.
        """
        with self._explained():
            row = self._connection.execute(
                "SELECT content FROM documents WHERE run = ?", (number,)
            ).fetchone()
        if row is None:
            raise KeyError(number)
        try:
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(row[0], _MAX_DOCUMENT_BYTES)
            fields = json.loads(content)
        except (zlib.error, ValueError, TypeError, RecursionError):
            raise InputError(f"run {number} of the history {self.path} is damaged") from None
        if not isinstance(fields, dict):
            raise InputError(f"run {number} of the history {self.path} is damaged")
        return fields

    def tag(self, number: int, name: str) -> None:
        """Gives a run a name. A name that another run has moves to this one.

        Raises:
            UsageError: the name could be taken for a number, or is empty or longer than 80 characters.
            InputError: the file cannot be written.
        """
        if not name.strip() or len(name) > 80 or not name.isprintable():
            raise UsageError("a tag has 1 to 80 printable characters")
        if name == "last" or name.isdigit():
            raise UsageError(
                f"the tag {name!r} would be taken for a run; use a tag with a letter, not 'last'"
            )
        with self._writing():
            self._connection.execute("INSERT OR REPLACE INTO tags (name, run) VALUES (?, ?)", (name, number))

    def untag(self, name: str) -> None:
        """Removes a tag.

        Raises:
            UsageError: no run has it.
            InputError: the file cannot be written.
        """
        with self._writing():
            removed = self._connection.execute("DELETE FROM tags WHERE name = ?", (name,)).rowcount
        if not removed:
            raise UsageError(self._unknown(name))

    def names(self, column: str) -> list[str]:
        """Lists the values of a column of `RunFacts`, for messages that offer similar ones."""
        assert column in _COLUMNS
        with self._explained():
            rows = self._connection.execute(f"SELECT DISTINCT {column} FROM runs ORDER BY {column}")
            return [row[0] for row in rows if row[0] is not None]

    def _unknown(self, name: str, neither: Sequence[str] = ()) -> str:
        tags = sorted({tag for each in self._tags().values() for tag in each})
        listed = "`pi-bench history` lists all runs" + (
            f", tagged are {', '.join(tags[:20])}" if tags else ""
        )
        return unknown_name("run", name, [*tags, "last"], listed=listed, neither=neither)

    def _tags(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = {}
        for name, number in self._connection.execute("SELECT name, run FROM tags ORDER BY name"):
            found.setdefault(number, []).append(name)
        return found

    def _migrate(self) -> None:
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        if version == SCHEMA:
            return
        with self._writing():
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA:
                raise InputError(
                    f"the history {self.path} was made by a newer pi-bench (its schema is {version}, "
                    f"this one knows {SCHEMA}); update pi-bench, or name another file with --history FILE"
                )
            if version == 0 and self._connection.execute("SELECT 1 FROM sqlite_master").fetchone():
                raise InputError(
                    f"{self.path} is a database of another program; name another file with --history FILE"
                )
            for statements in _MIGRATIONS[version:]:
                for statement in statements:
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {SCHEMA}")

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Makes the context one transaction: all of it, or nothing after an error or a kill."""
        with self._explained():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise InputError(f"the history {self.path} cannot be used: {_words(error)}") from None


def _require_folder(path: Path) -> None:
    if path == own_path():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the folder of the history {path}: {error.strerror}") from None
    elif not path.absolute().parent.is_dir():
        raise InputError(
            f"there is no folder {path.absolute().parent} for the history {path.name}; make the folder, or "
            "name another file with --history FILE or the variable PI_BENCH_HISTORY"
        )


def _words(error: Exception) -> str:
    name = getattr(error, "sqlite_errorname", "")
    for beginning, words in (
        ("SQLITE_NOTADB", "it is no database of pi-bench, or it is damaged"),
        ("SQLITE_CORRUPT", "it is damaged; move it away, and `pi-bench history import` reads results again"),
        ("SQLITE_BUSY", f"another process has been writing for more than {_BUSY_S:g} seconds"),
        ("SQLITE_FULL", "the disk is full"),
        ("SQLITE_CANTOPEN", "it cannot be opened; check its folder and permissions"),
        ("SQLITE_READONLY", "it cannot be written; check its permissions"),
        ("SQLITE_IOERR", "the disk reports an error, or is full"),
    ):
        if name.startswith(beginning):
            return words
    if isinstance(error, UnicodeDecodeError):
        return "it is damaged; move it away, and `pi-bench history import` reads results again"
    return "it does not have the tables of a history"


def _facts(row: tuple[Any, ...]) -> RunFacts:
    values = dict(zip(_COLUMNS, row, strict=True))
    for name in _FLAGS:
        values[name] = None if values[name] is None else bool(values[name])
    return RunFacts(**values)
