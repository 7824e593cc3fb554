"""Several processes look at the same alert rules, and some die of it: each decision is made once, and is not lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb
from sqlalchemy import Executable
from sqlalchemy.engine import RowMapping

from analytics_api.alerts.delivering import deliver_due
from analytics_api.alerts.desk import Desk
from analytics_api.alerts.evaluating import look_at_due
from analytics_api.alerts.rules import Rule
from analytics_api.alerts.watching import announce
from analytics_api.store import Store
from lowtide.clients.broker import Broker
from lowtide.errors import Unavailable
from lowtide.runtime.clock import SystemClock
from lowtide.storage.database import Database
from lowtide.wire.types import Watch
from tests.integration.analytics.reports import Reports
from tests.peers import Peer, peer

pytestmark = pytest.mark.anyio

_RULE = Rule.model_validate(
    {"measure": "ended", "status": ["faulted"], "condition": {"kind": "threshold", "above": 2}, "by": ["workflow"]}
)


class _Slow(Store):
    """Questions wait until they are let through."""

    def __init__(self, url: str) -> None:
        super().__init__(url, connections=1, statement_timeout=5.0)
        self.asked, self.free = asyncio.Event(), asyncio.Event()

    async def ask(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[RowMapping]:
        self.asked.set()
        await self.free.wait()
        return await super().ask(statement, values)


@asynccontextmanager
async def _desk(url: str, broker: str, store: Store | None = None) -> AsyncIterator[Desk]:
    """As a process has it."""
    asked = store or Store(url, connections=2, statement_timeout=5.0)
    database = Database("analytics", url, 2)
    desk = Desk(database, asked, SystemClock(), broker=Broker(broker), loopback=True, delay=0.0, patience=60.0)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asked.close)
        stack.push_async_callback(desk.close)
        yield desk


def _rules(url: str, namespace: str, *names: str, spec: Any = None) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DELETE FROM alert_rules")
        connection.execute("DELETE FROM alert_deliveries")
        for name in names:
            connection.execute(
                """INSERT INTO alert_rules (namespace, name, spec, secrets, every, created_at, changed_at, due_at)
                   VALUES (%s, %s, %s, '{}', 60000, now(), now(), now())""",
                [namespace, name, Jsonb(_RULE.stored() if spec is None else spec)],
            )


def _ids(broker: Peer) -> list[str]:
    return [request.headers["ce-id"] for request in broker.requests]


async def test_two_processes_at_the_same_tick_decide_once_and_tell_once(store_url: str, reports: Reports) -> None:
    for workflow in ("a", "b"):
        reports.rollup("executions.faulted", datetime.now(UTC), [1.0] * 3, namespace="both", workflow=workflow)
    _rules(store_url, "both", *(f"rule-{number}" for number in range(5)))
    with peer(lambda _: (202, b"")) as broker:
        async with _desk(store_url, broker.url) as one, _desk(store_url, broker.url) as other:
            looks = await asyncio.gather(*(look_at_due(desk, 10.0) for desk in (one, other, one, other)))
            assert sum(looks) == 5
            await asyncio.gather(*(deliver_due(desk, 10.0) for desk in (one, other)))
        assert len(set(_ids(broker))) == len(broker.requests) == 10


async def test_a_process_that_dies_while_it_looks_has_decided_nothing(store_url: str, reports: Reports) -> None:
    reports.rollup("executions.faulted", datetime.now(UTC), [1.0] * 3, namespace="dying")
    _rules(store_url, "dying", "rule")
    with peer(lambda _: (202, b"")) as broker:
        slow = _Slow(store_url)
        async with _desk(store_url, broker.url, slow) as dying, _desk(store_url, broker.url) as other:
            looking = asyncio.create_task(look_at_due(dying, 10.0))
            await slow.asked.wait()
            assert await look_at_due(other, 10.0) == 0, "somebody looks at it"
            looking.cancel()
            await asyncio.wait([looking])
            assert await look_at_due(other, 10.0) == 1
            assert (await deliver_due(other, 10.0), len(broker.requests)) == (1, 1)


async def test_a_process_that_dies_while_it_tells_is_followed_by_one_that_tells_the_same(
    store_url: str, reports: Reports
) -> None:
    reports.rollup("executions.faulted", datetime.now(UTC), [1.0] * 3, namespace="telling")
    _rules(store_url, "telling", "rule")
    answered: list[int] = [503, 202]
    with peer(lambda _: (answered.pop(0), b"")) as broker:
        async with _desk(store_url, broker.url) as dying, _desk(store_url, broker.url) as other:
            await look_at_due(dying, 10.0)
            await deliver_due(dying, 10.0)
            assert await deliver_due(other, 10.0) == 0, "it rests"
            with psycopg.connect(store_url, autocommit=True) as connection:
                connection.execute("UPDATE alert_deliveries SET next_at = now()")
            assert await deliver_due(other, 10.0) == 1
        first, second = _ids(broker)
        assert first == second


@pytest.mark.parametrize("spec", [{}, {**_RULE.stored(), "workflow": "a\x01", "task": 7}])
async def test_a_rule_that_cannot_be_looked_at_keeps_no_other_from_it(
    store_url: str, reports: Reports, spec: dict[str, Any]
) -> None:
    reports.rollup("executions.faulted", datetime.now(UTC), [1.0] * 3, namespace="broken")
    _rules(store_url, "broken", "a-broken", "sound")
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute("UPDATE alert_rules SET spec = %s WHERE name = 'a-broken'", [Jsonb(spec)])
        async with _desk(store_url, "http://127.0.0.1:1") as desk:
            assert await look_at_due(desk, 10.0) == 2
        problems = connection.execute("SELECT name, problem IS NULL FROM alert_rules ORDER BY name").fetchall()
        assert problems == [("a-broken", False), ("sound", True)]


async def test_a_store_that_gives_no_answer_changes_nothing_and_says_so(store_url: str) -> None:
    _rules(store_url, "slow", "rule")
    nowhere = Store("postgresql://nobody@127.0.0.1:1/nothing", connections=1, statement_timeout=1.0)
    async with _desk(store_url, "http://127.0.0.1:1", nowhere) as desk:
        assert await look_at_due(desk, 10.0) == 1
    with psycopg.connect(store_url) as connection:
        row = connection.execute("SELECT problem, looked_at FROM alert_rules").fetchone()
    assert row is not None
    assert "cannot be reached" in row[0]
    assert row[1] is None


async def test_of_more_groups_than_are_looked_at_the_rule_says_so(store_url: str) -> None:
    _rules(store_url, "many", "rule")
    with psycopg.connect(store_url, autocommit=True) as connection:
        connection.execute(
            """INSERT INTO rollups_minute (namespace, measure, at, workflow, version, task, count, total)
               SELECT 'many', 'executions.faulted', date_trunc('minute', now()), 'w' || n, '1', '', 1, 1
                 FROM generate_series(1, 1001) AS n"""
        )
        async with _desk(store_url, "http://127.0.0.1:1") as desk:
            assert await look_at_due(desk, 10.0) == 1
        row = connection.execute("SELECT problem, looked_at IS NOT NULL FROM alert_rules").fetchone()
    assert row == ("there are 1000 groups or more, and only so many are looked at; choose fewer by filters", True)


async def test_whoever_puts_a_rule_learns_that_orchestrate_was_not_told(store_url: str) -> None:
    async with _desk(store_url, "http://127.0.0.1:1") as desk:
        with pytest.raises(Unavailable, match=r"the change is stored, but orchestrate .* send it again"):
            await announce(desk, Watch(revision=1))
