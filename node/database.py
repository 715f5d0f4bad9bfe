"""The engine, its transactions and the schema's migrations."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, Executable, create_engine, event, inspect, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import ConnectionPoolEntry

from node.errors import DatabaseUnusable

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30
_SYNCHRONOUS, _REBUILDABLE = "synchronous", "NORMAL"


class Prepared:
    """A statement for ``Database.directly``, put into words once."""

    def __init__(self, statement: Executable) -> None:
        words = statement.compile(dialect=sqlite.dialect(paramstyle="named"))  # type: ignore[attr-defined]  # all have it
        self._text = str(words)
        self._constants = {name: value for name, value in words.params.items() if value is not None}

    def run(self, connection: sqlite3.Connection, values: Mapping[str, object]) -> sqlite3.Cursor:
        return connection.execute(self._text, {**self._constants, **values})


class Database:
    """One database: SQLite beside the data, or any other that SQLAlchemy speaks to."""

    def __init__(self, url: str) -> None:
        if make_url(url).get_backend_name() == "sqlite" and (file := make_url(url).database):
            Path(file).parent.mkdir(parents=True, exist_ok=True)
        self.engine = _engine(url)
        # SQLite has one writer, and one that finds it busy sleeps before it looks again: threads of one process queue.
        is_sqlite = self.engine.dialect.name == "sqlite"
        self._writing: AbstractContextManager[object] = threading.Lock() if is_sqlite else nullcontext()
        self._direct_turn = threading.Lock()
        self._direct: sqlite3.Connection | None = None

    @contextmanager
    def transaction(self, *, rebuildable: bool = False) -> Iterator[Connection]:
        """Read and write; all or nothing. On SQLite the write lock is taken at once: no upgrade can deadlock.

        ``rebuildable``: what is written can be made again from files that are on disk. A power cut may then take the
        last such commits away (SQLite only, and never one that another commit came after); a killed process takes none.
        """
        with self._writing, self.engine.connect() as connection:
            if rebuildable:
                connection = connection.execution_options(restage_rebuildable=True)
            with connection.begin():
                yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view, without holding up any writer."""
        with self.engine.connect().execution_options(restage_reading=True) as connection, connection.begin():
            yield connection

    @contextmanager
    def directly(self, *, writing: bool = False) -> Iterator[sqlite3.Connection]:
        """SQLite's own connection, for the few statements of each object that arrives: SQLAlchemy takes several times
        as long to pass them on as SQLite to run them. ``writing``: one transaction, and ``rebuildable``. Raises
        sqlite3.OperationalError.
        """
        # One connection for all threads: what it has read stays in its cache, which another one's commit would empty.
        with self._writing if writing else nullcontext(), self._direct_turn:
            connection = self._direct = self._direct or _direct(self.engine)
            if not writing:
                yield connection
                return
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def migrate(self) -> None:
        """Bring the schema to this program's version. Safe to call at every start, by several processes at once.

        Raises DatabaseUnusable.
        """
        settings = AlembicConfig()
        settings.set_main_option("script_location", str(MIGRATIONS))
        known = [script.revision for script in ScriptDirectory.from_config(settings).walk_revisions()]
        try:
            with self.engine.connect().execution_options(restage_migrating=True) as connection, connection.begin():
                found = _version(connection)
                if found not in (None, *known):
                    raise DatabaseUnusable(f"{self.name} was made by a newer version of this program ({found})")
                if found != known[0]:
                    settings.attributes["connection"] = connection
                    command.upgrade(settings, "head")
        except DBAPIError as error:
            raise DatabaseUnusable(f"{self.name} cannot be used as the database: {error.orig}") from error

    @property
    def name(self) -> str:
        """The database's file or URL, without its password."""
        return self.engine.url.database or self.engine.url.render_as_string(hide_password=True)

    def close(self) -> None:
        with self._direct_turn:
            if self._direct is not None:
                self._direct.close()
                self._direct = None
        self.engine.dispose()


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def set_pragmas(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
        # The driver's own transaction handling is switched off: `begin` below decides.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        options = connection.get_execution_options()
        # A migration makes tables anew to which others refer; inside a transaction these switches do nothing.
        _switch(connection, "foreign_keys", "OFF" if options.get("restage_migrating") else "ON")
        # A commit is a promise to a PACS or to a person: it must survive a power cut (FULL flushes the log each time).
        if not options.get("restage_reading"):
            _switch(connection, _SYNCHRONOUS, _REBUILDABLE if options.get("restage_rebuildable") else "FULL")
        connection.exec_driver_sql("BEGIN" if options.get("restage_reading") else "BEGIN IMMEDIATE")

    return engine


def _direct(engine: Engine) -> sqlite3.Connection:
    connection = sqlite3.connect(
        engine.url.database or ":memory:", BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute(f"PRAGMA {_SYNCHRONOUS}={_REBUILDABLE}")
    return connection


def _switch(connection: Connection, name: str, value: str) -> None:
    """Set a switch of the connection below, which keeps it, where it is not set so already."""
    if connection.info.get(name) != value:
        connection.exec_driver_sql(f"PRAGMA {name}={value}")
        connection.info[name] = value
