"""The analytics store's migrations make exactly the tables that the code names, once, whoever else migrates."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from analytics_api.migrate import migrate
from lowtide.errors import Misconfigured, Unavailable
from lowtide.storage.analytics import metadata

_STRUCTURE = """
SELECT table_name, column_name, data_type, is_nullable, coalesce(column_default, '')
  FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'alembic_version'
UNION ALL
SELECT tablename, indexname, indexdef, '', '' FROM pg_indexes
 WHERE schemaname = 'public' AND tablename <> 'alembic_version'
ORDER BY 1, 2
"""


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
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_four_who_migrate_at_once_wait_for_each_other(fresh_database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [fresh_database] * 4))
    with psycopg.connect(fresh_database) as connection:
        assert connection.execute("SELECT count(*) FROM alembic_version").fetchone() == (1,)


def test_a_database_that_is_away_is_named_as_the_reason() -> None:
    with pytest.raises(Unavailable, match="cannot be migrated"):
        migrate("postgresql://nobody@127.0.0.1:1/nothing")


@pytest.mark.parametrize("url", ["mysql://root@localhost/analytics", "no url at all"])
def test_another_kind_of_url_is_refused_before_anything_is_done(url: str) -> None:
    with pytest.raises(Misconfigured, match="LOWTIDE_ANALYTICS_URL"):
        migrate(url)
