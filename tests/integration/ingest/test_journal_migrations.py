"""The journal store's migrations make exactly the tables that the code names."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from functions.ingest.migrate import upgrade
from lowtide.storage.journal import metadata


def test_the_migrated_journal_store_is_the_one_that_the_tables_describe(fresh_database: str) -> None:
    upgrade(fresh_database)
    engine = create_engine(make_url(fresh_database).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrating_twice_changes_nothing(fresh_database: str) -> None:
    upgrade(fresh_database)
    upgrade(fresh_database)
