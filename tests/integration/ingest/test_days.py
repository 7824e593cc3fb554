"""Days of the analytics store: made ahead, dropped when nobody wants them, for each tenant its own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import NullPool, create_engine, make_url

from functions.ingest.days import Keeper
from functions.ingest.retention import Retention, retention_of
from lowtide.errors import Misconfigured
from lowtide.storage import analytics
from lowtide.storage.database import Database
from tests.databases import database
from tests.ingests import Stores

pytestmark = pytest.mark.anyio

_TODAY = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def empty(postgres: str) -> Iterator[str]:
    with database(postgres) as url:
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
        analytics.metadata.create_all(engine)
        yield url


@pytest.fixture
def stores(postgres: str, empty: str) -> Iterator[Stores]:
    with database(postgres, like=empty) as url:
        yield Stores("", url)


def _rows(stores: Stores, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(stores.analytics) as connection:
        return connection.execute(query.encode()).fetchall()


def _write(stores: Stores, created: datetime, ended: datetime | None = None, namespace: str = "shop") -> None:
    """An execution with a log line of its last moment."""
    # Ids of the product never go back in time.
    execution = UUID(int=int(created.timestamp() * 1000) << 80 | 7 << 76 | uuid4().int & (1 << 64) - 1)
    at = ended or created
    with psycopg.connect(stores.analytics) as connection:
        connection.execute(
            "INSERT INTO executions"
            " (execution, namespace, workflow, version, version_number, phase, created_at, ended_at)"
            " VALUES (%s, %s, 'order', '1', 1, 'running', %s, %s)",
            [execution, namespace, created, ended],
        )
        connection.execute(
            "INSERT INTO logs (execution, at, id, namespace, workflow, version, level, message)"
            " VALUES (%s, %s, '1', %s, 'order', '1', 'info', 'said')",
            [execution, at, namespace],
        )


async def _tidy(stores: Stores, at: datetime, retention: Retention | None = None) -> None:
    database = Database("analytics", stores.analytics, 2)
    await Keeper(database, retention or Retention()).tidy(at)
    await database.close()


async def test_days_are_made_ahead_by_whoever_comes_and_take_what_was_written_before(stores: Stores) -> None:
    for hours in (-30, -1, 0, 20, 300):
        _write(stores, _TODAY + timedelta(hours=hours), _TODAY + timedelta(hours=hours, seconds=1))
    await asyncio.gather(*(_tidy(stores, _TODAY) for _ in range(3)))
    await _tidy(stores, _TODAY)
    where = "SELECT tableoid::regclass::text, count(*), sum(duration_ms) FROM executions GROUP BY 1 ORDER BY 1"
    assert _rows(stores, where) == [
        ("executions_20261123", 2, 2000.0),
        ("executions_20261124", 1, 1000.0),
        ("executions_default", 2, 2000.0),
    ]
    ahead = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'metric_samples'::regclass"
    assert _rows(stores, ahead) == [(5,)], "today, three days more, and the default"
    _write(stores, _TODAY + timedelta(minutes=1))
    assert ("executions_20261123", 3, 2000.0) in _rows(stores, where)
    shape = "SELECT count(*) FROM pg_indexes WHERE tablename = '{}'"
    assert _rows(stores, shape.format("logs_20261123")) == _rows(stores, shape.format("logs_default"))


async def test_a_day_goes_when_nobody_wants_it_and_stays_while_one_of_its_executions_lives(stores: Stores) -> None:
    await _tidy(stores, _TODAY)
    _write(stores, _TODAY, _TODAY + timedelta(seconds=5))
    _write(stores, _TODAY + timedelta(days=1), _TODAY + timedelta(days=1, seconds=5))
    _write(stores, _TODAY + timedelta(days=1))
    retention = retention_of("executions=P10D, logs = P5D")
    await _tidy(stores, _TODAY + timedelta(days=8), retention)
    days = "SELECT DISTINCT tableoid::regclass::text FROM {} ORDER BY 1"
    assert _rows(stores, days.format("executions")) == [("executions_20261123",), ("executions_20261124",)]
    assert _rows(stores, "SELECT to_regclass('logs_20261123'), count(*) FROM logs") == [(None, 0)]
    await _tidy(stores, _TODAY + timedelta(days=20), retention)
    assert _rows(stores, days.format("executions")) == [("executions_20261124",)]
    assert _rows(stores, "SELECT count(*) FROM executions") == [(1,)], "the one that lives"


async def test_a_tenant_may_keep_for_a_shorter_or_a_longer_time_than_the_others(stores: Stores) -> None:
    await _tidy(stores, _TODAY)
    for namespace in ("shop", "bank", "lab"):
        _write(stores, _TODAY, _TODAY + timedelta(seconds=5), namespace)
        _write(stores, _TODAY - timedelta(days=9), _TODAY - timedelta(days=9), namespace)
    retention = retention_of("logs=P5D,shop/logs=P2D,bank/logs=P30D")
    left = "SELECT namespace, count(*) FROM logs GROUP BY 1 ORDER BY 1"
    await _tidy(stores, _TODAY + timedelta(days=3), retention)
    assert _rows(stores, left) == [("bank", 2), ("lab", 1)]
    await _tidy(stores, _TODAY + timedelta(days=8), retention)
    assert _rows(stores, left) == [("bank", 2)]
    await _tidy(stores, _TODAY + timedelta(days=40), retention)
    assert _rows(stores, left) == []
    assert _rows(stores, "SELECT count(*) FROM executions") == [(6,)], "of which nothing was said"


async def test_a_reader_makes_a_drop_wait_and_nobody_else(stores: Stores) -> None:
    await _tidy(stores, _TODAY)
    _write(stores, _TODAY, _TODAY)
    retention = retention_of("logs=P1D")
    with psycopg.connect(stores.analytics) as reader:
        reader.execute("SELECT * FROM logs")
        await _tidy(stores, _TODAY + timedelta(days=3), retention)
        assert _rows(stores, "SELECT to_regclass('logs_20261123')::text") == [("logs_20261123",)]
    await _tidy(stores, _TODAY + timedelta(days=3), retention)
    assert _rows(stores, "SELECT to_regclass('logs_20261123')") == [(None,)]


@pytest.mark.parametrize("given", ["logs", "logs=soon", "/logs=P1D", "journal=P1D", "logs=P0D", "shop/=P1D"])
def test_a_retention_that_is_none_is_refused_with_what_there_is(given: str) -> None:
    with pytest.raises(Misconfigured, match="LOWTIDE_RETAIN_ANALYTICS"):
        retention_of(given)
