"""The broker: who gets what, how often, and what becomes of the rest."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest
from aiohttp import ClientSession, web

from lowtide.local.broker import running
from lowtide.local.ports import LOOPBACK
from lowtide.settings import BrokerSettings
from lowtide.wire import cloudevents
from lowtide.wire.cloudevents import CloudEvent
from lowtide.wire.triggers import DEAD_LETTER_PATH, TRIGGERS
from lowtide.wire.types import ALERT_TICK, ALERT_WATCH, COMPLETED, DISPATCH, TICK
from tests.integration.local.pools import eventually
from tests.ports import free_port

pytestmark = pytest.mark.anyio

Answer = Callable[[CloudEvent], Awaitable[web.Response]]


async def accepted(_event: CloudEvent) -> web.Response:
    return web.Response(status=202)


@dataclass
class Subscriber:
    """Both deployables in one server: execute at ``/``, orchestrate below it."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    got: list[tuple[str, CloudEvent]] = field(default_factory=list)

    async def handle(self, request: web.BaseRequest) -> web.Response:
        event = cloudevents.read(request.headers, await request.read())
        self.got.append((request.path, event))
        return await self.answers.get(event.id, accepted)(event)

    def of(self, path: str) -> list[str]:
        return [event.id for at, event in self.got if at == path]


@contextlib.asynccontextmanager
async def subscriber() -> AsyncIterator[Subscriber]:
    made = Subscriber()
    runner = web.ServerRunner(web.Server(made.handle, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, LOOPBACK, 0).start()
    made.url = f"http://{LOOPBACK}:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@dataclass
class Broker:
    """A client of a running broker."""

    url: str
    session: ClientSession

    async def post(self, kind: str, number: str, **more: Any) -> int:
        headers = {"ce-specversion": "1.0", "ce-type": kind, "ce-source": "/test", "ce-id": number, **more}
        async with self.session.post(self.url + "/", headers=headers, json={"n": number}) as response:
            return response.status

    async def status(self) -> dict[str, Any]:
        async with self.session.get(self.url + "/status") as response:
            return dict(await response.json())


def settings(url: str, subscribers: Subscriber, grace: float = 0.5) -> BrokerSettings:
    return BrokerSettings(
        broker_database_url=url,
        execute_url=subscribers.url,
        orchestrate_url=subscribers.url,
        analytics_api_url=subscribers.url,
        port=free_port(),
        host=LOOPBACK,
        shutdown_grace=grace,
    )


@contextlib.asynccontextmanager
async def broker(url: str, subscribers: Subscriber, retries: int = 3, backoff: float = 0.05) -> AsyncIterator[Broker]:
    triggers = tuple(trigger._replace(retries=retries, backoff=backoff) for trigger in TRIGGERS)
    chosen = settings(url, subscribers)
    async with running(chosen, triggers), ClientSession() as session:
        yield Broker(f"http://{LOOPBACK}:{chosen.port}", session)


def stored(url: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM event").fetchone()
        assert row is not None
        return int(row[0])


async def test_each_event_goes_to_the_triggers_that_match_it(fresh_database: str) -> None:
    async with subscriber() as there, broker(fresh_database, there) as here:
        sent = {"1": DISPATCH, "2": COMPLETED, "3": TICK, "4": "shop.payment", "5": "dev.lowtide.unknown.v1"}
        sent |= {"6": ALERT_TICK, "7": ALERT_WATCH}
        for number, kind in sent.items():
            assert await here.post(kind, number) == 202
        await eventually(lambda: len(there.got) == 6)
        assert there.of("/") == ["1"]
        assert sorted(there.of("/events")) == ["2", "3", "4", "7"]
        assert there.of("/alerts/ticks") == ["6"]
        assert there.got[0][1].data == b'{"n": "1"}'


async def test_the_poster_does_not_wait_for_the_subscriber(fresh_database: str) -> None:
    released = asyncio.Event()

    async def slow(_event: CloudEvent) -> web.Response:
        await released.wait()
        return web.Response(status=202)

    async with subscriber() as there, broker(fresh_database, there) as here:
        there.answers["1"] = slow
        assert await asyncio.wait_for(here.post(DISPATCH, "1"), 2) == 202
        await eventually(lambda: there.got)
        assert (await here.status())["inFlight"] == 1
        released.set()
        await eventually(lambda: _done(here))


async def _done(here: Broker) -> bool:
    return bool((await here.status())["inFlight"] == 0)


async def test_a_delivery_is_tried_again_until_it_succeeds(fresh_database: str) -> None:
    statuses = iter((503, 404, 429, 200))

    async def failing(_event: CloudEvent) -> web.Response:
        return web.Response(status=next(statuses))

    async with subscriber() as there, broker(fresh_database, there) as here:
        there.answers["1"] = failing
        await here.post(DISPATCH, "1")
        await eventually(lambda: there.of("/") == ["1"] * 4)
        assert there.of(DEAD_LETTER_PATH) == []


async def test_what_a_subscriber_refuses_goes_to_the_dead_letters_at_once(fresh_database: str) -> None:
    async def refusing(_event: CloudEvent) -> web.Response:
        return web.Response(status=400, text="no such plan")

    async with subscriber() as there, broker(fresh_database, there) as here:
        there.answers["1"] = refusing
        await here.post(DISPATCH, "1", **{"ce-lowtideexecution": "abc"})
        await eventually(lambda: there.of(DEAD_LETTER_PATH))
        assert there.of("/") == ["1"]
        letter = there.got[-1][1]
        assert letter.type == DISPATCH
        assert letter.text("lowtideexecution") == "abc"
        assert letter.text("knativeerrorcode") == "400"
        assert letter.text("knativeerrordest") == there.url + "/"
        assert base64.b64decode(str(letter.text("knativeerrordata"))) == b"no such plan"
        assert letter.data == b'{"n": "1"}'


async def test_what_fails_for_too_long_becomes_a_dead_letter(fresh_database: str) -> None:
    async def failing(event: CloudEvent) -> web.Response:
        return web.Response(status=202 if event.text("knativeerrorcode") else 500)

    async with subscriber() as there, broker(fresh_database, there) as here:
        there.answers["1"] = failing
        await here.post("shop.payment", "1")
        await eventually(lambda: there.of(DEAD_LETTER_PATH) == ["1"])
        assert there.of("/events") == ["1"] * 4
        await eventually(lambda: stored(fresh_database) == 0)


async def test_a_reply_comes_in_again(fresh_database: str) -> None:
    async def replying(event: CloudEvent) -> web.Response:
        headers, body = cloudevents.to_binary(
            CloudEvent({**event.attributes, "id": "1:outcome", "type": COMPLETED}, b'{"done":true}')
        )
        return web.Response(status=200, headers=headers, body=body)

    async with subscriber() as there, broker(fresh_database, there) as here:
        there.answers["1"] = replying
        await here.post(DISPATCH, "1")
        await eventually(lambda: there.of("/events") == ["1:outcome"])
        assert there.got[-1][1].data == b'{"done":true}'


async def test_an_answer_with_a_body_that_is_no_event_is_a_failure(fresh_database: str) -> None:
    async def chatty(_event: CloudEvent) -> web.Response:
        return web.json_response({"ok": True})

    async with subscriber() as there, broker(fresh_database, there) as here:
        there.answers["1"] = chatty
        await here.post(DISPATCH, "1")
        await eventually(lambda: there.of(DEAD_LETTER_PATH) == ["1"])
        assert there.of("/") == ["1"] * 4


async def test_an_unreachable_subscriber_is_tried_again(fresh_database: str) -> None:
    async with subscriber() as there:
        gone = Subscriber(url=f"http://{LOOPBACK}:{free_port()}")
        async with broker(fresh_database, gone) as here:
            await here.post(DISPATCH, "1")
            await eventually(lambda: _dead(here))
        assert there.got == []


async def _dead(here: Broker) -> bool:
    return bool((await here.status())["deadLetters"] == 1)


async def test_malformed_events_are_refused_with_a_problem(fresh_database: str) -> None:
    async with subscriber() as there, broker(fresh_database, there) as here:
        for headers, body in (
            ({"ce-type": "a", "ce-source": "/", "ce-specversion": "1.0"}, b"{}"),
            ({"Content-Type": cloudevents.STRUCTURED}, b"{nonsense"),
            ({"Content-Type": "text/plain"}, b"hello"),
        ):
            async with here.session.post(here.url + "/", headers=headers, data=body) as response:
                assert response.status == 400
                assert (await response.json(content_type=None))["code"] == "event.invalid"
        assert there.got == []


async def test_a_batch_is_taken_apart(fresh_database: str) -> None:
    async with subscriber() as there, broker(fresh_database, there) as here:
        events = [
            CloudEvent({"specversion": "1.0", "type": "shop.paid", "source": "/s", "id": str(number)}, None)
            for number in range(20)
        ]
        headers, body = cloudevents.to_batch(events)
        async with here.session.post(here.url + "/", headers=headers, data=body) as response:
            assert response.status == 202
        await eventually(lambda: len(there.of("/events")) == 20)
        await eventually(lambda: stored(fresh_database) == 0)


async def test_world_events_outlive_the_broker_and_ticks_do_not(fresh_database: str) -> None:
    never = asyncio.Event()

    async def stuck(_event: CloudEvent) -> web.Response:
        await never.wait()
        return web.Response(status=202)

    async with subscriber() as there:
        there.answers = dict.fromkeys("123", stuck)
        async with broker(fresh_database, there) as here:
            await here.post("shop.payment", "1")
            await here.post(TICK, "2")
            await here.post(COMPLETED, "3")
            await eventually(lambda: len(there.got) == 3)
            assert stored(fresh_database) == 1
        there.answers.clear()
        there.got.clear()
        async with broker(fresh_database, there):
            # The outcome was in memory alone; an orderly end wrote it down.
            await eventually(lambda: sorted(there.of("/events")) == ["1", "3"])
            await eventually(lambda: stored(fresh_database) == 0)


async def test_an_event_that_cannot_be_stored_is_not_accepted(fresh_database: str) -> None:
    async with subscriber() as there, broker(fresh_database, there) as here:
        with psycopg.connect(fresh_database, autocommit=True) as connection:
            connection.execute("ALTER TABLE event RENAME TO elsewhere")
            assert await here.post("shop.payment", "1") == 503
            assert await here.post(DISPATCH, "2") == 202
            connection.execute("ALTER TABLE elsewhere RENAME TO event")
        assert await here.post("shop.payment", "3") == 202
        await eventually(lambda: there.of("/events") == ["3"])
