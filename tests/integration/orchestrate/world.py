"""A small world around a real orchestrate: HTTP on both sides, PostgreSQL, and peers that tests can bend.

The broker routes as Triggers say: dispatches to execute, its replies and everything else to orchestrate. Execute runs
the pure engine on every dispatch and answers as the real one would, without a journal.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import uvicorn
from aiohttp import ClientError, ClientSession, web
from msgspec import structs

from functions.orchestrate.app import create_app
from functions.orchestrate.service import Neighbours, Service
from functions.orchestrate.shortway import HttpExecute
from lowtide.clients.broker import Broker
from lowtide.effects.callback import Callbacks
from lowtide.effects.container import Bounds, LocalContainers
from lowtide.engine import Turn, begin, resume
from lowtide.errors import PayloadLost
from lowtide.expressions import JqHost
from lowtide.model.base import ExecutionId, Millis
from lowtide.model.command import Perform, Publish
from lowtide.model.event import EffectSucceeded
from lowtide.model.state import Cancelled, Completed, Faulted
from lowtide.runtime.claims import Claims
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.containers import Containers
from lowtide.settings import OrchestrateSettings
from lowtide.wire import json, mac, states
from lowtide.wire.claims import MEDIA_TYPE, referred
from lowtide.wire.cloudevents import CloudEvent, from_json, read, read_all, to_binary
from lowtide.wire.types import (
    DISPATCH,
    SNAPSHOT_FORMAT,
    Dispatch,
    Ended,
    Extension,
    Parked,
    Registered,
    SnapshotFormat,
    outcome_id,
    source_of,
    type_of,
)
from tests.integration.orchestrate.fake_ingest import FakeIngest
from tests.integration.orchestrate.listener import Listener, listening

__all__ = ["KEY", "FakeBroker", "FakeExecute", "World", "document", "outcome_event", "world"]

KEY = b"a key of the tests"
HOST = JqHost()
CALLBACKS = Callbacks(KEY, "https://lowtide.example", SystemClock())


def document(do: str, *, name: str = "sample", version: str = "1.0.0", head: str = "") -> str:
    """A document in namespace ``tests``; ``do`` and ``head`` are YAML without indentation."""
    meta = f"document: {{dsl: '1.0.3', namespace: tests, name: {name}, version: '{version}'}}\n"
    return meta + head + "\ndo:\n" + do


def outcome_event(
    payload: Parked | Ended | Registered, digest: str, *, key: bytes = KEY, number: int = 0, body: bytes = b""
) -> CloudEvent:
    """The event that execute would answer with; ``body`` is what it carries, by default the whole payload."""
    body = body or json.encode(payload)
    expires = Millis(SystemClock().now() + 3_600_000)
    token = mac.sign(key, "outcome", payload.execution, payload.epoch, mac.digest_of(body), expires)
    attributes: dict[str, Any] = {
        "specversion": "1.0",
        "id": outcome_id(payload.execution, payload.epoch) + (f":{number}" if number else ""),
        "source": source_of("tests", "sample"),
        "type": type_of(payload),
        "datacontenttype": "application/json" if referred(body) is None else MEDIA_TYPE,
        Extension.execution: payload.execution,
        Extension.epoch: str(payload.epoch),
        Extension.digest: digest,
        Extension.token: token,
    }
    return CloudEvent(attributes, body)


Answer = Callable[["FakeExecute", Dispatch], Awaitable[Parked | Ended | int]]


async def play(execute: FakeExecute, dispatch: Dispatch) -> Parked | Ended | int:
    """Run the pure engine; effects give their arguments back, callback URLs are real, emitted events are published."""
    turn = (
        begin(dispatch.plan, dispatch.seed, HOST)
        if dispatch.seed
        else Turn(states.read(dispatch.snapshot.state if dispatch.snapshot else b""))
    )
    for event in [None, *(wake.event for wake in dispatch.wakes)]:
        if event is not None:
            turn = resume(dispatch.plan, turn.state, event, HOST)
        turn = await _settle(execute, dispatch, turn)
    ended = (dispatch.execution, dispatch.epoch)
    keys = tuple(wake.key for wake in dispatch.wakes)
    match turn.outcome:
        case Completed(output=output):
            return Ended(execution=ended[0], epoch=ended[1], status="completed", output=output, consumed=keys)
        case Faulted(error=error):
            return Ended(execution=ended[0], epoch=ended[1], status="faulted", error=error, consumed=keys)
        case Cancelled():
            return Ended(execution=ended[0], epoch=ended[1], status="cancelled", consumed=keys)
    passive = tuple(turn.state.pending.values())
    snapshot = states.snapshot_of(turn.state, dispatch.epoch, execute.snapshot_format)
    return Parked(execution=ended[0], epoch=ended[1], snapshot=snapshot, commands=passive, consumed=keys)  # type: ignore[arg-type]


async def _settle(execute: FakeExecute, dispatch: Dispatch, turn: Turn) -> Turn:
    while True:
        active = [command for command in turn.state.pending.values() if isinstance(command, Perform | Publish)]
        if turn.more:
            turn = resume(dispatch.plan, turn.state, None, HOST)
        elif active and turn.outcome is None:
            command = active[0]
            if isinstance(command, Publish):
                await execute.broker.publish(command.event)
            output = command.arguments if isinstance(command, Perform) else None
            if isinstance(command, Perform) and command.call == "callback":
                output = await CALLBACKS.perform(command, f"{dispatch.execution}{command.id}")
            at = Millis(turn.state.now + 1)
            turn = resume(dispatch.plan, turn.state, EffectSucceeded(command=command.id, output=output, at=at), HOST)
        else:
            return turn


class FakeExecute(Listener):
    """``answer`` decides what becomes of a dispatch: an outcome, or an HTTP status without a body."""

    def __init__(self) -> None:
        super().__init__()
        self.answer: Answer = play
        self.snapshot_format: SnapshotFormat = SNAPSHOT_FORMAT
        self.woken = 0
        self.taken: list[tuple[CloudEvent, Dispatch]] = []
        self.broker: Broker
        self.claims: Claims

    def of(self, execution: str) -> list[Dispatch]:
        return [dispatch for _, dispatch in self.taken if dispatch.execution == execution]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if request.path == "/readyz":
            self.woken += 1
            return web.Response()
        event = read(request.headers.items(), await request.read())
        namespace, named = str(event.text(Extension.namespace)), ExecutionId(str(event.text(Extension.execution)))
        whole = await self.claims.check_out(namespace, named, event.data or b"")
        assert mac.digest_of(whole) == event.text(Extension.digest)
        dispatch = json.decode(whole, Dispatch)
        self.taken.append((event, dispatch))
        if dispatch.snapshot is not None:
            try:
                snapshot = await self.claims.snapshot(namespace, named, dispatch.snapshot)
            except PayloadLost:
                return web.Response(status=400)
            dispatch = structs.replace(dispatch, snapshot=snapshot)
        result = await self.answer(self, dispatch)
        if isinstance(result, int):
            return web.Response(status=result)
        closing = await self.claims.seal(namespace, result)
        headers, body = to_binary(outcome_event(result, str(event.text(Extension.digest)), body=closing.body))
        return web.Response(body=body, headers=headers)


class FakeBroker(Listener):
    """Takes events at once and delivers them afterwards; ``down`` refuses them, ``paused`` keeps them, ``refused`` are
    types that it will never take."""

    def __init__(self, execute_url: str, orchestrate_url: str) -> None:
        super().__init__()
        self.events: list[CloudEvent] = []
        self.down = False
        self.paused = False
        self.refused: frozenset[str] = frozenset()
        self.synchronous = False
        self.retries = 4
        self._execute, self._orchestrate = execute_url, orchestrate_url
        self._tasks: set[asyncio.Task[None]] = set()
        self.session: ClientSession

    def of_type(self, event_type: str) -> list[CloudEvent]:
        return [event for event in self.events if event.type == event_type]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            return web.Response(status=503)
        arrived = read_all(request.headers.items(), await request.read())
        if any(event.type in self.refused for event in arrived):
            return web.Response(status=400)
        for event in arrived:
            self.events.append(event)
            if not self.paused:
                task = asyncio.create_task(self.deliver(event))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
                if self.synchronous:
                    await task
        return web.Response(status=202)

    async def deliver(self, event: CloudEvent) -> None:
        """Deliver an event and its reply, again and again while the subscriber answers 5xx, as a Broker does."""
        target = self._execute if event.type == DISPATCH else f"{self._orchestrate}/events"
        headers, body = to_binary(event)
        for attempt in range(self.retries + 1):
            with contextlib.suppress(ClientError):
                if self.session.closed:
                    return None  # the world ended while this delivery was about to begin
                async with self.session.post(target, data=body, headers=headers) as response:
                    answer = await response.read()
                    if response.status < 300:
                        return await self.deliver(read(list(response.headers.items()), answer)) if answer else None
                    if response.status < 500:
                        return None
            await asyncio.sleep(0.1 * 2**attempt)
        return None

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class World:
    """``api`` talks to orchestrate; the peers can be bent while it runs."""

    api: httpx.AsyncClient
    service: Service
    broker: FakeBroker
    execute: FakeExecute
    ingest: FakeIngest
    url: str

    async def deploy(self, source: str) -> dict[str, Any]:
        answer = await self.api.post(
            "/v1/namespaces/tests/workflows", content=source, headers={"content-type": "application/yaml"}
        )
        assert answer.status_code in (200, 201), answer.text
        return dict(answer.json())

    async def start(self, given: Any = None, *, name: str = "sample", **options: Any) -> dict[str, Any]:
        headers = {"idempotency-key": options.pop("key")} if "key" in options else {}
        path = f"/v1/namespaces/tests/workflows/{name}/executions"
        answer = await self.api.post(path, json=given, params=options, headers=headers)
        assert answer.status_code in (200, 202), answer.text
        return dict(answer.json())

    async def show(self, execution: str) -> dict[str, Any]:
        answer = await self.api.get(f"/v1/namespaces/tests/executions/{execution}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def until(self, execution: str, phase: str, seconds: float = 10.0) -> dict[str, Any]:
        """The execution once it is in this phase."""
        ends = asyncio.get_running_loop().time() + seconds
        while True:
            shown = await self.show(execution)
            if shown["phase"] == phase:
                return shown
            assert asyncio.get_running_loop().time() < ends, f"expected {phase}: {shown}"
            await asyncio.sleep(0.02)

    async def cancel(self, execution: str, reason: str = "enough") -> httpx.Response:
        return await self.api.post(f"/v1/namespaces/tests/executions/{execution}/cancel", json={"reason": reason})

    async def post(self, event: CloudEvent, path: str = "/events") -> httpx.Response:
        headers, body = to_binary(event)
        return await self.api.post(path, content=body, headers=headers)

    async def send(self, event_type: str, data: Any = None, **attributes: Any) -> httpx.Response:
        """Publish an event of the world to namespace ``tests``."""
        form = {"specversion": "1.0", "id": "1", "source": "/world", "type": event_type, "data": data, **attributes}
        return await self.post(from_json(form), "/v1/namespaces/tests/events")

    async def tick(self, seconds: float = 30.0) -> httpx.Response:
        form = {"specversion": "1.0", "id": "tick", "source": "/test", "type": "dev.lowtide.tick.v1"}
        headers, body = to_binary(from_json(form))
        return await self.api.post("/events", content=body, headers=headers, timeout=seconds)


@contextlib.asynccontextmanager
async def world(database: str, *, containers: Containers | None = None, **tunables: Any) -> AsyncIterator[World]:
    """Orchestrate with its peers, on a control store that is empty or used."""
    execute, (bound, url) = FakeExecute(), listening()
    broker, ingest = FakeBroker(execute.url, url), FakeIngest()
    forbidden = LocalContainers(SystemClock(), {}, allowed=False, bounds=Bounds())
    neighbours = Neighbours(
        Broker(broker.url), HttpExecute(execute.url, 60), ingest, containers or forbidden, ingest.payloads
    )
    settings = OrchestrateSettings(
        key=KEY,
        control_url=database,
        broker_url=broker.url,
        execute_url=execute.url,
        ingest_target="none:1",
        **tunables,
    )
    execute.claims = Claims(ingest.payloads, above=settings.claim_above, largest=settings.max_payload_bytes)
    services: list[Service] = []
    app = create_app(settings, neighbours=neighbours, started=services.append)
    config = uvicorn.Config(app, log_config=None, lifespan="on", ws="none", timeout_keep_alive=75)
    server = _Server(config)
    async with contextlib.AsyncExitStack() as stack:
        broker.session = await stack.enter_async_context(ClientSession())
        execute.broker = Broker(broker.url)
        stack.push_async_callback(execute.broker.close)
        await stack.enter_async_context(execute.serve(execute.handle))
        await stack.enter_async_context(broker.serve(broker.handle))
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:
            assert not serving.done(), serving
            await asyncio.sleep(0.01)
        # Without verification: plain HTTP needs no certificates, and to load them would cost as much as the world does.
        api = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=30, verify=False))
        try:
            yield World(api, services[0], broker, execute, ingest, url)
        finally:
            services[0].stop()
            await broker.close()
            server.should_exit = True
            await serving
