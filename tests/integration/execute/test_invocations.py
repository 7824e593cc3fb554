"""The execute function as a real process, with the real ingest, over real HTTP."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import msgspec
import pytest

from lowtide.model.base import Millis
from lowtide.model.event import CancelAsked, TimerFired
from lowtide.wire import mac
from lowtide.wire.json import decode, encode, parse
from lowtide.wire.states import read
from lowtide.wire.types import Ended, Parked, Snapshot, Wake
from tests.ingests import IngestProcess
from tests.integration.execute.conftest import KEY, ExecuteProcess, order
from tests.peers import Peer, Request, peer
from tests.ports import free_port


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


def eventually(condition: Callable[[], bool], seconds: float = 10.0, pause: float = 0.01) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "not in time"
        time.sleep(pause)


def call(url: str) -> str:
    return f"do: [{{c: {{call: http, with: {{method: get, endpoint: '{url}'}}}}}}]"


def test_a_dispatch_is_answered_with_the_outcome_event(execute: ExecuteProcess) -> None:
    what = order("do: [{a: {set: {sum: '${ .x + 1 }'}}}]", {"x": 2})
    response = execute.deliver(what)
    assert response.status_code == 200
    assert response.headers["ce-type"] == "dev.lowtide.execution.completed.v1"
    assert response.headers["ce-id"] == f"{what.execution}:1:outcome"
    assert decode(response.content, Ended).output == {"sum": 3}
    token, digest = response.headers["ce-lowtidetoken"], mac.digest_of(response.content)
    assert mac.verify(KEY, token, "outcome", what.execution, 1, digest, Millis(0))


def test_the_same_dispatch_again_gets_the_same_answer_and_performs_nothing(execute: ExecuteProcess) -> None:
    with peer(lambda request: (200, {"n": 1})) as shop:
        what = order(call(shop.url))
        first, second = execute.deliver(what), execute.deliver(what)
    assert first.status_code == second.status_code == 200
    assert first.content == second.content
    assert len(shop.requests) == 1


def test_two_deliveries_at_once_run_once(execute: ExecuteProcess, run_execute: Any) -> None:
    one, two = execute, run_execute()
    answered = threading.Event()

    def slow(request: Request) -> tuple[int, Any]:
        answered.wait(10)
        return 200, {}

    with peer(slow) as shop:
        what = order(call(shop.url))
        answers: list[httpx.Response] = []
        running = threading.Thread(target=lambda: answers.append(one.deliver(what)))
        running.start()
        eventually(lambda: len(shop.requests) == 1)
        assert two.deliver(what).status_code == 503
        answered.set()
        running.join(20)
        assert two.deliver(what).content == answers[0].content
    assert len(shop.requests) == 1


def test_a_killed_process_is_succeeded_and_acknowledged_effects_are_not_repeated(
    execute: ExecuteProcess, run_execute: Any
) -> None:
    one, two = run_execute(), execute
    hold = threading.Event()

    def answer(request: Request) -> tuple[int, Any]:
        if request.path == "/second" and not hold.is_set():
            hold.wait(20)
        return 200, {"path": request.path}

    with peer(answer) as shop:
        steps = [
            f"{{{name}: {{call: http, with: {{method: post, endpoint: '{shop.url}/{name}'}}}}}}"
            for name in ("first", "second", "third")
        ]
        what = order(f"do: [{', '.join(steps)}]")
        threading.Thread(target=lambda: _ignore(one, what), daemon=True).start()
        eventually(lambda: any(request.path == "/second" for request in shop.requests))
        one.kill()
        hold.set()
        responses: list[httpx.Response] = []

        def done() -> bool:
            responses.append(two.deliver(what))
            return responses[-1].status_code == 200

        eventually(done, 20, pause=0.1)  # once the dead owner's lease has expired
    paths = [request.path for request in shop.requests]
    assert paths == ["/first", "/second", "/second", "/third"]
    keys = {request.headers["idempotency-key"] for request in shop.requests if request.path == "/second"}
    assert len(keys) == 1
    assert decode(responses[-1].content, Ended).status == "completed"


def _ignore(process: ExecuteProcess, what: Any) -> None:
    with contextlib.suppress(httpx.TransportError):
        process.deliver(what)


def test_a_long_wait_parks_with_a_snapshot_that_goes_on(execute: ExecuteProcess) -> None:
    what = order("do: [{w: {wait: {hours: 1}}}, {s: {set: {done: true}}}]")
    parked = decode(execute.deliver(what).content, Parked)
    assert not parked.resume_now
    (sleep,) = parked.commands
    fired = Wake(key="t", event=TimerFired(command=sleep.id, at=Millis(read(parked.snapshot.state).now + 3_600_000)))
    again = order(
        "do: [{w: {wait: {hours: 1}}}, {s: {set: {done: true}}}]",
        execution=what.execution,
        epoch=2,
        snapshot=parked.snapshot,
        wakes=(fired,),
    )
    ended = decode(execute.deliver(again).content, Ended)
    assert ended.output == {"done": True}
    assert ended.consumed == ("t",)


def test_a_short_wait_stays_in_process(execute: ExecuteProcess) -> None:
    ended = decode(execute.deliver(order("do: [{w: {wait: {milliseconds: 50}}}]", 7)).content, Ended)
    assert ended.output == 7


def test_a_spent_budget_parks_to_be_resumed_at_once(execute: ExecuteProcess) -> None:
    def slow(request: Request) -> tuple[int, Any]:
        time.sleep(0.4)
        return 200, {}

    with peer(slow) as shop:
        steps = ", ".join(f"{{c{n}: {{call: http, with: {{method: get, endpoint: '{shop.url}'}}}}}}" for n in range(9))
        parked = decode(execute.deliver(order(f"do: [{steps}]", budget=1500)).content, Parked)
    assert parked.resume_now
    assert 0 < len(shop.requests) < 9


def test_sigterm_yields_what_is_running(run_execute: Any) -> None:
    execute = run_execute()

    def slow(request: Request) -> tuple[int, Any]:
        time.sleep(0.5)
        return 200, {}

    with peer(slow) as shop:
        steps = ", ".join(f"{{c{n}: {{call: http, with: {{method: get, endpoint: '{shop.url}'}}}}}}" for n in range(5))
        answers: list[httpx.Response] = []
        running = threading.Thread(target=lambda: answers.append(execute.deliver(order(f"do: [{steps}]"))))
        running.start()
        eventually(lambda: len(shop.requests) == 1)
        execute.terminate()
        running.join(20)
        assert decode(answers[0].content, Parked).resume_now
        assert len(shop.requests) == 1
    assert execute.process.wait(10) == 0


def test_a_gone_caller_does_not_lose_the_outcome(execute: ExecuteProcess, broker: Peer) -> None:
    def slow(request: Request) -> tuple[int, Any]:
        time.sleep(0.5)
        return 200, {"late": True}

    with peer(slow) as shop:
        what = order(call(shop.url))
        with pytest.raises(httpx.ReadTimeout):
            execute.deliver(what, timeout=0.2)
        eventually(lambda: any(r.headers.get("ce-id") == f"{what.execution}:1:outcome" for r in broker.requests))
    outcome = next(r for r in broker.requests if r.headers.get("ce-id") == f"{what.execution}:1:outcome")
    assert outcome.headers["ce-type"] in {"dev.lowtide.execution.completed.v1", "dev.lowtide.execution.parked.v1"}
    assert len(shop.requests) == 1


def test_a_cancel_in_the_dispatch_cancels(execute: ExecuteProcess) -> None:
    what = order("do: [{w: {wait: {hours: 1}}}]", wakes=(Wake(key="c", event=CancelAsked(at=Millis(1), reason="no")),))
    ended = decode(execute.deliver(what).content, Ended)
    assert (ended.status, ended.reason) == ("cancelled", "no")


def test_passive_commands_are_registered_while_effects_run(execute: ExecuteProcess, broker: Peer) -> None:
    def slow(request: Request) -> tuple[int, Any]:
        time.sleep(0.5)
        return 200, {}

    with peer(slow) as shop:
        do = f"""
do:
- both:
    fork:
      branches:
      - calls: {{call: http, with: {{method: get, endpoint: '{shop.url}'}}}}
      - listens: {{listen: {{to: {{one: {{with: {{type: paid}}}}}}}}}}
"""
        what = order(do)
        parked = decode(execute.deliver(what).content, Parked)
    (registered,) = [
        r
        for r in broker.requests
        if (r.headers["ce-type"], r.headers["ce-lowtideexecution"])
        == ("dev.lowtide.execution.registered.v1", what.execution)
    ]
    assert registered.json["commands"][0]["do"] == "await"
    assert [command.id for command in parked.commands] == [registered.json["commands"][0]["id"]]


def test_an_emitted_event_reaches_the_broker_with_its_namespace(execute: ExecuteProcess, broker: Peer) -> None:
    ended = decode(
        execute.deliver(order("do: [{e: {emit: {event: {with: {type: x.y, data: {n: 1}}}}}}]")).content, Ended
    )
    (sent,) = [r for r in broker.requests if r.headers["ce-type"] == "x.y"]
    assert sent.headers["ce-lowtidenamespace"] == "tests"
    assert sent.json == {"n": 1}
    assert ended.output["id"] == sent.headers["ce-id"]


# ---------------------------------------------------------------- what can go wrong before a run


def test_a_forged_dispatch_is_refused(execute: ExecuteProcess) -> None:
    what = order("do: [{a: {set: {x: 1}}}]", key=b"another key")
    response = execute.deliver(what)
    assert response.status_code == 403
    assert response.json()["code"] == "auth.forged"


def test_an_altered_dispatch_is_refused(execute: ExecuteProcess) -> None:
    what = order("do: [{a: {set: {x: 1}}}]")
    what.body = what.body.replace(b'"x":1', b'"x":2')
    assert execute.deliver(what).status_code == 403


def test_an_expired_token_is_out_of_date(execute: ExecuteProcess) -> None:
    response = execute.deliver(order("do: [{a: {set: {x: 1}}}]", lifetime=-1))
    assert (response.status_code, response.content) == (204, b"")


def test_an_older_epoch_is_out_of_date(execute: ExecuteProcess) -> None:
    newer = order("do: [{a: {set: {x: 1}}}]", epoch=2)
    assert execute.deliver(newer).status_code == 200
    older = order("do: [{a: {set: {x: 1}}}]", execution=newer.execution, epoch=1)
    assert execute.deliver(older).status_code == 204


def test_another_dispatch_of_the_same_epoch_diverges(execute: ExecuteProcess) -> None:
    first = order("do: [{a: {set: {x: 1}}}]")
    assert execute.deliver(first).status_code == 200
    other = order("do: [{a: {set: {x: 2}}}]", execution=first.execution)
    response = execute.deliver(other)
    assert (response.status_code, response.json()["code"]) == (400, "journal.diverged")


@pytest.mark.parametrize(
    ("headers", "body", "status", "hint"),
    [
        ({}, b"{}", 400, "ce-specversion"),
        ({"content-type": "application/cloudevents+json"}, b"{", 400, "JSON"),
        (
            {
                "ce-specversion": "1.0",
                "ce-id": "1",
                "ce-source": "s",
                "ce-type": "other",
                "content-type": "application/json",
            },
            b"{}",
            400,
            "Trigger",
        ),
    ],
)
def test_nonsense_is_refused_with_a_problem_document(
    execute: ExecuteProcess, headers: dict[str, str], body: bytes, status: int, hint: str
) -> None:
    response = httpx.post(execute.url, content=body, headers=headers)
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert hint in response.json()["detail"]


def test_probes_answer_and_unknown_paths_are_problems(execute: ExecuteProcess) -> None:
    assert httpx.get(f"{execute.url}/livez").status_code == 200
    assert httpx.get(f"{execute.url}/nothing").json()["status"] == 404
    assert httpx.get(execute.url).status_code == 405


def test_logs_are_json_without_tracebacks(run_execute: Any) -> None:
    execute = run_execute()
    httpx.post(execute.url, content=b"nonsense")
    execute.deliver(order("do: [{a: {set: {x: 1}}}]"))
    execute.terminate()
    execute.process.wait(10)
    execute.close()
    assert all("exception" not in json.loads(line) for line in execute.lines)


# ---------------------------------------------------------------- relaxed durability


def test_decision_24_a_relaxed_execution_ends_without_ingest_and_others_wait_for_it(broker: Peer) -> None:
    process = ExecuteProcess(f"127.0.0.1:{free_port()}", broker, open_deadline=1)
    try:
        process.wait_until_ready()
        with peer(lambda request: (200, {"path": request.path})) as shop:
            steps = call(shop.url + "/paid")
            relaxed = order(steps, metadata={"lowtide": {"durability": "relaxed"}})
            answer = process.deliver(relaxed)
            assert decode(answer.content, Ended).output == {"path": "/paid"}
            assert process.deliver(order(steps)).status_code == 503
            assert len(shop.requests) == 1
            parks = order("do: [{w: {wait: {hours: 1}}}]", metadata={"lowtide": {"durability": "relaxed"}})
            assert process.deliver(parks).status_code == 503
    finally:
        process.close()


def test_a_relaxed_execution_has_its_journal_in_the_end(execute: ExecuteProcess) -> None:
    with peer(lambda request: (200, {})) as shop:
        what = order(call(shop.url), metadata={"lowtide": {"durability": "relaxed"}})
        first, again = execute.deliver(what), execute.deliver(what)
    assert first.content == again.content
    assert len(shop.requests) == 1


# ---------------------------------------------------------------- borders


def test_a_document_cannot_emit_into_another_namespace(execute: ExecuteProcess, broker: Peer) -> None:
    do = "do: [{e: {emit: {event: {with: {type: x.z, lowtidenamespace: other}}}}}]"
    assert execute.deliver(order(do)).status_code == 200
    (sent,) = [r for r in broker.requests if r.headers["ce-type"] == "x.z"]
    assert sent.headers["ce-lowtidenamespace"] == "tests"


def test_a_snapshot_of_a_newer_format_is_left_to_newer_processes(execute: ExecuteProcess) -> None:
    what = order("do: [{w: {wait: {hours: 1}}}]")
    parked = decode(execute.deliver(what).content, Parked)
    newer = Snapshot(state=msgspec.Raw(encode({**parse(parked.snapshot.state), "format": 99})), upto=0)
    later = order("do: [{w: {wait: {hours: 1}}}]", execution=what.execution, epoch=2, snapshot=newer)
    assert execute.deliver(later).status_code == 503


def test_members_that_nobody_knows_yet_do_not_matter(execute: ExecuteProcess) -> None:
    assert execute.deliver(order("do: [{a: {set: {x: 1}}}]", extra={"future": [1]})).status_code == 200


def test_a_body_that_is_too_large_is_refused_before_it_is_read(execute: ExecuteProcess) -> None:
    response = httpx.post(execute.url, content=b"x" * (64 * 1024 * 1024 + 1), timeout=60)
    assert (response.status_code, response.json()["code"]) == (413, "input.too_large")


def test_sigterm_twice_still_lets_effects_end(run_execute: Any) -> None:
    execute = run_execute()

    def slow(request: Request) -> tuple[int, Any]:
        time.sleep(0.5)
        return 200, {}

    with peer(slow) as shop:
        answers: list[httpx.Response] = []
        running = threading.Thread(target=lambda: answers.append(execute.deliver(order(call(shop.url)))))
        running.start()
        eventually(lambda: len(shop.requests) == 1)
        execute.terminate()
        execute.terminate()
        running.join(20)
    assert answers[0].status_code == 200
    assert execute.process.wait(10) == 0
