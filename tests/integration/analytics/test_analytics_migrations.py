"""The analytics store's migrations make exactly the tables that the code names, once, whoever else migrates."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from analytics_api.alerts.tables import metadata
from analytics_api.migrate import migrate
from lowtide.errors import Misconfigured, Unavailable
from lowtide.model.sketch import bin_of

_STRUCTURE = """
SELECT table_name, column_name, data_type, is_nullable, coalesce(column_default, '')
  FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes
 WHERE schemaname = 'public' AND tablename <> 'alembic_version'
ORDER BY 1, 2
"""


def _is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
    return kind != "table" or not str(name).endswith("_default")


def _structure(url: str) -> list[tuple[str, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(_STRUCTURE).fetchall()


def test_the_migrated_store_is_the_one_that_the_tables_describe(databases: Callable[[], str]) -> None:
    migrated, described = databases(), databases()
    migrate(migrated)
    engine = create_engine(make_url(described).set(drivername="postgresql+psycopg"))
    metadata.create_all(engine)
    engine.dispose()
    assert _structure(migrated) == _structure(described)


def test_a_new_migration_would_be_empty(fresh_database: str) -> None:
    migrate(fresh_database)
    engine = create_engine(make_url(fresh_database).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": _is_no_partition})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_four_who_migrate_at_once_wait_for_each_other(fresh_database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [fresh_database] * 4))
    with psycopg.connect(fresh_database) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_a_database_that_is_away_is_named_as_the_reason() -> None:
    with pytest.raises(Unavailable, match="cannot be migrated"):
        migrate("postgresql://nobody@127.0.0.1:1/nothing")


_BEFORE = """
INSERT INTO executions (execution, namespace, workflow, version, version_number, phase, created_at, ended_at, tags)
SELECT id, 'shop', 'order', '1', 3, 'completed', at, at + interval '2 s', '{"team": "blue"}'
  FROM unnest(array['0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e5f', '0198c5a2-7b1e-7c3d-9f00-5a1b2c3d4e60']::uuid[]) AS id,
       (SELECT '2026-11-23T12:00:59Z'::timestamptz AS at) AS noon;
INSERT INTO usage SELECT execution, n, namespace, workflow, version, created_at,
       40, 5, 1073741824, n = 1, 300, 2, 3, 4, 5 FROM executions, generate_series(1, 2) AS n;
INSERT INTO logs (execution, at, id, namespace, workflow, version, level, message)
SELECT execution, created_at, 'one', namespace, workflow, version, 'info', 'a parcel left' FROM executions;
"""


def test_what_was_reported_before_is_kept_found_and_counted(fresh_database: str) -> None:
    migrate(fresh_database, "0002")
    with psycopg.connect(fresh_database) as connection:
        connection.execute(_BEFORE.encode())
    migrate(fresh_database)
    with psycopg.connect(fresh_database) as connection:
        query = """SELECT invocations, cold_starts, active_ms, gb_seconds, duration_ms FROM executions
                    WHERE search @@ plainto_tsquery('simple', 'blue')"""
        assert connection.execute(query).fetchall() == [(2, 1, 80.0, 0.08, 2000.0)] * 2
        query = "SELECT count(*) FROM logs WHERE search @@ plainto_tsquery('simple', 'parcel')"
        assert connection.execute(query).fetchall() == [(2,)]
        query = """SELECT measure, to_char(at AT TIME ZONE 'UTC', 'HH24:MI'), count, total, sketch FROM rollups_minute
                    WHERE measure IN ('executions.completed', 'executions.created', 'invocations.cold_start_ms')
                    ORDER BY measure"""
        assert connection.execute(query).fetchall() == [
            ("executions.completed", "12:01", 2, 4000.0, {str(bin_of(2000.0)): 2}),
            ("executions.created", "12:00", 2, 0.0, {}),
            ("invocations.cold_start_ms", "12:00", 2, 600.0, {str(bin_of(300.0)): 2}),
        ]
        query = "SELECT total FROM rollups_hour WHERE measure = 'invocations.active_ms'"
        assert connection.execute(query).fetchall() == [(160.0,)]


_HOURS = """
INSERT INTO rollups_hour
SELECT 'shop', measure, at::timestamptz, 'order', '1', '', count, total, smallest, largest, sketch::jsonb
  FROM (VALUES
    ('executions.completed', '2026-11-23T00:00:00Z', 3, 7.0, 1.0, 4.0, '{"-7": 1, "0": 1, "900": 1}'),
    ('executions.completed', '2026-11-23T23:00:00Z', 2, 9.0, 0.5, 8.5, '{"900": 1, "1000": 1}'),
    ('executions.completed', '2026-11-24T00:00:00Z', 1, 1.0, 1.0, 1.0, '{"1": 1}'),
    ('executions.created', '2026-11-23T01:00:00Z', 5, 0.0, NULL, NULL, '{}'),
    ('effects.http', '2026-11-23T01:00:00Z', 1, 2.0, 2.0, 2.0, '{"5": 1}'),
    ('logs.info', '2026-11-23T01:00:00Z', 1, 0.0, NULL, NULL, '{}'),
    ('invocations.memory_bytes', '2026-11-23T01:00:00Z', 1, 5.0, 5.0, 5.0, '{"5": 1}')
  ) AS hours (measure, at, count, total, smallest, largest, sketch)
"""


def test_days_begin_with_the_hours_that_there_are(fresh_database: str) -> None:
    migrate(fresh_database, "0012")
    with psycopg.connect(fresh_database) as connection:
        connection.execute(_HOURS.encode())
    migrate(fresh_database)
    with psycopg.connect(fresh_database) as connection:
        query = """SELECT measure, to_char(at AT TIME ZONE 'UTC', 'DD HH24'), count, total, smallest, largest, sketch
                     FROM rollups_day ORDER BY measure, at"""
        assert connection.execute(query).fetchall() == [
            ("effects.http", "23 00", 1, 2.0, 2.0, 2.0, {}),
            ("executions.completed", "23 00", 5, 16.0, 0.5, 8.5, {"-7": 1, "0": 1, "900": 2, "1000": 1}),
            ("executions.completed", "24 00", 1, 1.0, 1.0, 1.0, {"1": 1}),
            ("executions.created", "23 00", 5, 0.0, None, None, {}),
        ]


@pytest.mark.parametrize("url", ["mysql://root@localhost/analytics", "no url at all"])
def test_another_kind_of_url_is_refused_before_anything_is_done(url: str) -> None:
    with pytest.raises(Misconfigured, match="LOWTIDE_ANALYTICS_URL"):
        migrate(url)
