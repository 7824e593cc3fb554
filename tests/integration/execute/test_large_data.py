"""What is too large to travel, seen from execute: real processes, real ingest, references instead of megabytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import psycopg
import pytest

from lowtide.clients.ingest import IngestClient
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.command import Sleep
from lowtide.model.event import EventsReceived, Received, TimerFired
from lowtide.runtime.chance import new_owner, uniform
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.ports import Payloads
from lowtide.wire import mac
from lowtide.wire.claims import payload_of, reference, referred
from lowtide.wire.json import decode, encode, parse
from lowtide.wire.types import DISPATCH, Ended, Parked, Wake
from tests.ingests import IngestProcess
from tests.integration.execute.conftest import KEY, ExecuteProcess, Order, order
from tests.peers import Peer, peer

T = TypeVar("T")

_MIB = 1024 * 1024
_LIMIT = 256 * 1024
WAIT = "do: [{keep: {set: {blob: '${ .blob }'}}}, {rest: {wait: {hours: 1}}}, {done: {set: {got: '${ .blob }'}}}]"


@pytest.fixture(scope="module")
def broker() -> Iterator[Peer]:
    with peer(lambda request: (202, {})) as made:
        yield made


@pytest.fixture(scope="module")
def execute(ingest: IngestProcess, broker: Peer) -> Iterator[ExecuteProcess]:
    """One process for all tests that leave it alive: executions do not meet."""
    process = ExecuteProcess(ingest.target, broker)
    yield process.wait_until_ready()
    process.close()


def asked(ingest: IngestProcess, ask: Callable[[Payloads], Awaitable[T]]) -> T:
    """What a client of the payload store gets."""

    async def run() -> T:
        client = IngestClient(ingest.target, owner=new_owner(), clock=SystemClock(), chance=uniform)
        try:
            return await ask(client.payloads)
        finally:
            await client.aclose()

    return asyncio.run(run())


def stored(ingest: IngestProcess, execution: str) -> set[str]:
    with psycopg.connect(ingest.stores.journal) as connection:
        rows = connection.execute("SELECT sha256 FROM payloads WHERE execution = %s", [execution])
        return {row[0] for row in rows}


def by_reference(ingest: IngestProcess, what: Order) -> Order:
    """The same dispatch, as it travels where it is large."""
    payload = asked(ingest, lambda payloads: payloads.put("tests", what.execution, what.body))
    return Order(what.execution, what.epoch, reference(payload), {**what.headers, "content-type": "text/plain"})


def parked_with(execute: ExecuteProcess, megabytes: int) -> tuple[Order, Parked]:
    what = order(WAIT, {"blob": "x" * (megabytes * _MIB)})
    response = execute.deliver(what)
    assert response.headers["ce-type"] == "dev.lowtide.execution.parked.v1"
    assert len(response.content) < 2000
    return what, decode(response.content, Parked)


def woken(what: Order, parked: Parked) -> Order:
    sleep = next(command for command in parked.commands if isinstance(command, Sleep))
    fired = Wake(key="t", event=TimerFired(command=sleep.id, at=Millis(sleep.until)))
    return order(WAIT, execution=what.execution, epoch=2, snapshot=parked.snapshot, wakes=(fired,))


@pytest.mark.parametrize("megabytes", [1, 5])
def test_a_large_state_is_parked_and_goes_on_by_reference(
    execute: ExecuteProcess, ingest: IngestProcess, megabytes: int
) -> None:
    what, parked = parked_with(execute, megabytes)
    assert not bytes(parked.snapshot.state)
    assert parked.snapshot.payload is not None
    assert parked.snapshot.payload.size > megabytes * _MIB
    response = execute.deliver(woken(what, parked))
    assert response.headers["ce-type"] == "dev.lowtide.execution.completed.v1"
    ended = decode(response.content, Ended)
    assert (ended.output, len(response.content) < 2000) == (None, True)
    payload = ended.payload
    assert payload is not None
    output = asked(ingest, lambda payloads: payloads.get("tests", what.execution, payload))
    assert parse(output) == {"got": "x" * (megabytes * _MIB)}


def test_a_dispatch_of_20_megabytes_travels_as_a_reference(execute: ExecuteProcess, ingest: IngestProcess) -> None:
    what = by_reference(ingest, order("do: [{a: {set: {ok: true}}}]", "x" * (20 * _MIB)))
    assert len(what.body) < 100
    response = execute.deliver(what)
    assert response.status_code == 200
    assert decode(response.content, Ended).output == {"ok": True}
    assert execute.deliver(what).content == response.content


def test_an_event_of_20_megabytes_is_journaled_as_a_reference_and_folded_again(
    execute: ExecuteProcess, ingest: IngestProcess
) -> None:
    listen = "{got: {listen: {to: {one: {with: {type: big}}}}}}"
    with peer(lambda request: (200, {"n": 1})) as shop:
        do = f"do: [{listen}, {{c: {{call: http, with: {{method: get, endpoint: '{shop.url}'}}}}}}]"
        first = order(do)
        parked = decode(execute.deliver(first).content, Parked)
        event: dict[str, Any] = {"id": "1", "source": "/me", "type": "big", "data": "e" * (20 * _MIB)}
        received = EventsReceived(command=parked.commands[0].id, at=Millis(1), events=(Received(event),))
        wake = Wake(key="e", event=received)
        second = order(do, execution=first.execution, epoch=2, snapshot=parked.snapshot, wakes=(wake,))
        what = by_reference(ingest, second)
        assert decode(execute.deliver(what).content, Ended).output == {"n": 1}
    with psycopg.connect(ingest.stores.journal) as connection:
        rows = connection.execute("SELECT length(body) FROM journal WHERE execution = %s", [first.execution])
        assert all(length < 500 for (length,) in rows)
    assert payload_of(encode(received)).sha256 in stored(ingest, first.execution)


def test_a_large_result_is_folded_from_its_reference_after_a_kill(execute: ExecuteProcess, run_execute: Any) -> None:
    do = (
        "do: [{a: {call: http, with: {method: get, endpoint: '%s/a'}, output: {as: '${ {big: .} }'}}},"
        " {b: {call: http, with: {method: get, endpoint: '%s/b'}}}]"
    )
    one, two = run_execute(), execute

    def answer(request: Any) -> tuple[int, Any]:
        if request.path == "/b" and len([seen for seen in shop.requests if seen.path == "/b"]) == 1:
            one.kill()
        return 200, "y" * _MIB if request.path == "/a" else {"done": True}

    with peer(answer) as shop:
        what = order(do % (shop.url, shop.url))
        with pytest.raises(Exception, match=r"disconnect|reset|closed"):
            one.deliver(what)
        while (response := two.deliver(what)).status_code == 503:  # until the dead owner's lease has expired
            time.sleep(0.1)
        assert decode(response.content, Ended).output == {"done": True}
        assert [request.path for request in shop.requests] == ["/a", "/b", "/b"]


def test_a_state_that_is_too_large_faults_and_says_what_to_do(run_execute: Any) -> None:
    execute = run_execute(max_payload_bytes=_MIB)
    response = execute.deliver(order(WAIT, {"blob": "x" * _MIB}))
    assert response.headers["ce-type"] == "dev.lowtide.execution.faulted.v1"
    error = decode(response.content, Ended).error
    assert error is not None
    assert "the state of the execution has" in str(error.detail)
    assert "LOWTIDE_MAX_PAYLOAD_BYTES" in str(error.detail)


def test_a_result_that_is_too_large_fails_its_task_which_may_be_caught(run_execute: Any) -> None:
    execute = run_execute(max_payload_bytes=_MIB)
    with peer(lambda request: (200, "y" * (2 * _MIB))) as shop:
        call = f"{{c: {{call: http, with: {{method: get, endpoint: '{shop.url}'}}}}}}"
        do = f"do: [{{t: {{try: [{call}], catch: {{do: [{{so: {{set: {{caught: true}}}}}}]}}}}}}]"
        ended = decode(execute.deliver(order(do)).content, Ended)
    assert ended.output == {"caught": True}


def test_a_state_that_was_lost_is_refused_for_good_and_named(execute: ExecuteProcess, ingest: IngestProcess) -> None:
    what, parked = parked_with(execute, 1)
    asked(ingest, lambda payloads: payloads.drop("tests", what.execution))
    response = execute.deliver(woken(what, parked))
    assert (response.status_code, response.json()["code"]) == (400, "payload.lost")
    assert parked.snapshot.payload is not None
    assert parked.snapshot.payload.sha256 in response.json()["detail"]


def test_a_dispatch_that_is_not_in_the_store_comes_again(execute: ExecuteProcess, ingest: IngestProcess) -> None:
    """Whoever issues it again puts it there again."""
    whole = order("do: [{a: {set: {ok: true}}}]", "x" * _LIMIT)
    what = by_reference(ingest, whole)
    asked(ingest, lambda payloads: payloads.drop("tests", what.execution))
    assert execute.deliver(what).status_code == 503
    by_reference(ingest, whole)
    assert execute.deliver(what).status_code == 200


def test_a_forged_reference_is_refused_and_not_followed(execute: ExecuteProcess, ingest: IngestProcess) -> None:
    """Neither a body that its token does not vouch for, nor another execution's."""
    theirs = by_reference(ingest, order("do: [{a: {set: {secret: 1}}}]", "x" * _LIMIT))
    mine = order("do: [{a: {set: {ok: true}}}]")
    forged = Order(mine.execution, 1, theirs.body, {**mine.headers, "content-type": "text/plain"})
    assert execute.deliver(forged).status_code == 403
    payload = referred(theirs.body)
    assert payload is not None
    token = mac.sign(KEY, "dispatch", mine.execution, 1, payload.sha256, Millis(2**53))
    headers = {**forged.headers, "ce-lowtidetoken": token, "ce-lowtidedigest": payload.sha256}
    assert execute.deliver(Order(mine.execution, 1, theirs.body, headers)).status_code == 503
    assert not stored(ingest, mine.execution)


def test_text_of_users_that_looks_like_a_reference_is_text(execute: ExecuteProcess) -> None:
    text = reference(payload_of(b"anything")).decode()
    ended = decode(execute.deliver(order("do: [{a: {set: '${ .given }'}}]", {"given": text})).content, Ended)
    assert ended.output == text


def test_what_detached_children_get_travels_as_a_reference(
    execute: ExecuteProcess, ingest: IngestProcess, broker: Peer
) -> None:
    child = "{namespace: n, name: w, version: '1.0.0', input: {blob: '${ .blob }'}}"
    what = order(f"do: [{{r: {{run: {{await: false, workflow: {child}}}}}}}]", {"blob": "x" * _MIB})
    assert execute.deliver(what).status_code == 200
    (registered,) = [request for request in broker.requests if "registered" in request.headers["ce-type"]]
    payload = referred(registered.body)
    assert payload is not None
    content = asked(ingest, lambda payloads: payloads.get("tests", ExecutionId(what.execution), payload))
    assert parse(content)["commands"][0]["input"] == {"blob": "x" * _MIB}
    assert registered.headers["ce-type"] != DISPATCH
