"""Transactions, migrations and durability of the database."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.migration import MigrationContext
from sqlalchemy import insert, select, text

from node.database import MIGRATIONS, Database
from node.records import Verb
from node.schema import decision_table, metadata


def decide(database: Database, baseline: str) -> None:
    row = {"verb": Verb.PAIR, "baseline_uid": baseline, "restaging_uid": "2", "decided_at": 0.0, "applied": False}
    with database.transaction() as connection:
        connection.execute(insert(decision_table).values(**row))


def decided(database: Database) -> list[str]:
    with database.reading() as connection:
        return [row.baseline_uid for row in connection.execute(select(decision_table).order_by(decision_table.c.id))]


def test_the_migrations_make_the_schema_that_the_program_uses(database: Database) -> None:
    with database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_again_changes_nothing(database: Database) -> None:
    decide(database, "1")
    database.migrate()
    assert decided(database) == ["1"]


def test_processes_that_start_at_once_agree_on_the_schema(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'restage.sqlite'}"
    code = f"from node.database import Database; Database({url!r}).migrate()"
    started = [subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE) for _ in range(3)]
    errors = [process.communicate(timeout=60)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], errors
    database = Database(url)
    decide(database, "1")
    database.close()


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    row = {"verb": Verb.PAIR, "baseline_uid": "1", "restaging_uid": "2", "decided_at": 0.0, "applied": False}
    with pytest.raises(RuntimeError), database.transaction() as connection:
        connection.execute(insert(decision_table).values(**row))
        raise RuntimeError
    assert decided(database) == []


def test_a_commit_is_flushed_to_disk_unless_it_can_be_made_again(database: Database) -> None:
    for rebuildable, level in ((False, 2), (True, 1), (False, 2)):  # FULL, NORMAL
        with database.transaction(rebuildable=rebuildable) as connection:
            assert connection.execute(text("PRAGMA synchronous")).scalar() == level
    with database.reading() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1


def test_a_reader_sees_one_state_and_holds_up_no_writer(database: Database) -> None:
    decide(database, "1")
    with database.reading() as connection:
        before = connection.execute(select(decision_table)).all()
        decide(database, "2")
        assert connection.execute(select(decision_table)).all() == before
    assert decided(database) == ["1", "2"]


def test_writers_wait_for_one_another_instead_of_failing(database: Database) -> None:
    def read_then_write(number: int) -> None:
        with database.transaction() as connection:
            connection.execute(select(decision_table)).all()
            time.sleep(0.01)
            row = {"verb": Verb.PAIR, "baseline_uid": str(number), "restaging_uid": "2", "decided_at": 0.0}
            connection.execute(insert(decision_table).values(**row, applied=False))

    threads = [threading.Thread(target=read_then_write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(decided(database)) == [str(number) for number in range(8)]


def test_a_database_of_the_first_version_keeps_its_rows_and_their_references(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'old.sqlite'}")
    settings = AlembicConfig()
    settings.set_main_option("script_location", str(MIGRATIONS))
    with database.transaction() as connection:
        settings.attributes["connection"] = connection
        command.upgrade(settings, "0001")
        connection.execute(
            text(
                "INSERT INTO pair (id, patient_id, issuer, baseline, restaging, state, reason, inputs_digest, version,"
                " updated_at) VALUES (1, 'P1', '', '[]', '[]', 'READY', '', '', 1, 0)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO job (id, pair_id, version, inputs_digest, baseline, restaging, state, token, lease_until,"
                " not_before, attempts, reason, created_at) VALUES "
                "(1, 1, 1, '', '[]', '[]', 'DONE', '', 0, 0, 1, '', 0)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO result (id, job_id, pair_id, version, kind, sop_uid, sop_class_uid, series_uid, study_uid,"
                " path, digest) VALUES (1, 1, 1, 1, 'report', '1.2', '1.3', '1.4', '1.5', 'p', 'd')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO delivery (id, result_id, peer, state, token, lease_until, not_before, attempts, reason,"
                " updated_at) VALUES (1, 1, 'pacs', 'SENT', '', 0, 0, 1, '', 0)"
            )
        )
    database.migrate()
    with database.reading() as connection:
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
        assert connection.execute(text("SELECT task FROM job")).scalar_one() == "score"
        assert connection.execute(text("SELECT exposed FROM delivery")).scalar_one() == 1
        assert connection.execute(text("PRAGMA foreign_keys")).scalar_one() == 1
    database.close()
