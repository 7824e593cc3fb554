"""The control store: its migrations, and what the database itself guarantees."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text

from functions.orchestrate.migrate import upgrade
from functions.orchestrate.store.database import Database
from functions.orchestrate.store.upkeep import metadata
from lowtide.errors import Unavailable
from tests.eventually import eventually


def test_the_migrations_make_what_the_tables_say(fresh_database: str) -> None:
    upgrade(fresh_database)
    engine = create_engine(make_url(fresh_database).set(drivername="postgresql+psycopg"))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_migrations_may_run_twice_and_at_once(fresh_database: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(upgrade, [fresh_database] * 4))
    upgrade(fresh_database)


def test_a_database_that_cannot_be_reached_is_said_plainly() -> None:
    with pytest.raises(Unavailable, match="cannot be migrated"):
        upgrade("postgresql://nobody@127.0.0.1:1/none")


@pytest.mark.anyio
async def test_closing_waits_for_transactions_that_are_under_way(fresh_database: str) -> None:
    store = Database(fresh_database, 2)
    slow = asyncio.create_task(store.run(lambda tx: tx.execute(text("SELECT pg_sleep(0.5)"))))
    async for attempt in eventually():
        with attempt:
            assert store.engine.pool.checkedout() == 1  # type: ignore[attr-defined]  # a QueuePool
    await store.close()
    assert slow.done()
    assert slow.exception() is None
