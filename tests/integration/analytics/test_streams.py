"""What happens, as it happens: events in order, resumed where they broke off, and no stream holds a process up."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx

from analytics_api.cursors import EventsKey, LineKey, of
from tests.integration.analytics.reports import NOON, Reports, serving

_Event = dict[str, Any]


def _events(api: httpx.Client, path: str, *, after: str | None = None) -> Iterator[_Event]:
    headers = {} if after is None else {"last-event-id": after}
    with api.stream("GET", f"/v1/namespaces/live{path}", headers=headers) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        event: _Event = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if not line and "event" in event:
                yield event
            event = {} if not line else {**event, name: json.loads(value) if name == "data" else value}


def test_an_execution_is_told_task_by_task_until_it_has_ended(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution(namespace="live", lasted=3.0)
    for status in ("pending", "running", "completed"):
        reports.fact(execution, "pay", status, namespace="live")
    events = list(_events(api, f"/executions/{execution}/stream"))
    assert [event["event"] for event in events] == ["task", "task", "task", "end"]
    assert [event["data"]["status"] for event in events[:3]] == ["pending", "running", "completed"]
    assert events[3]["data"]["phase"] == "completed"
    rest = list(_events(api, f"/executions/{execution}/stream", after=events[1]["id"]))
    assert [event["data"].get("status") for event in rest] == ["completed", None]


def test_what_is_created_and_ended_is_told_once_and_goes_on_after_a_break(api: httpx.Client, reports: Reports) -> None:
    begin = datetime.now(UTC) - timedelta(minutes=1)
    known = of(EventsKey((begin, UUID(int=0)), (begin, UUID(int=0))))
    made = [reports.execution(namespace="live", created=begin + timedelta(seconds=n)) for n in (1, 2)]
    made.append(reports.execution(namespace="live", created=begin + timedelta(seconds=3), lasted=1.0))
    first = next(_events(api, "/stream", after=known))
    assert (first["event"], first["data"]["id"]) == ("created", str(made[0]))
    rest = _events(api, "/stream", after=first["id"])
    told = [(event["event"], event["data"]["id"]) for event in (next(rest), next(rest), next(rest))]
    assert told == [("created", str(made[1])), ("created", str(made[2])), ("ended", str(made[2]))]


def test_new_lines_are_told_as_they_come(api: httpx.Client, reports: Reports) -> None:
    execution = reports.execution(namespace="live")
    begin = datetime.now(UTC)
    lines = _events(api, "/logs/stream?level=error", after=of(LineKey("asc", begin, UUID(int=0), "")))
    for message, level in (("first", "error"), ("between", "info"), ("second", "error")):
        at = (datetime.now(UTC) - NOON).total_seconds()  # too young to be shown yet
        reports.log(execution, message, namespace="live", level=level, at=at)
    assert [next(lines)["data"]["message"] for _ in range(2)] == ["first", "second"]


def test_a_wrong_last_event_id_is_refused_before_anything_is_sent(api: httpx.Client) -> None:
    for path in ("/stream", "/logs/stream"):
        refused = api.get(f"/v1/namespaces/live{path}", headers={"last-event-id": "nonsense"})
        assert (refused.status_code, refused.json()["code"]) == (400, "input.invalid")


def test_an_open_stream_ends_when_the_server_is_told_to_stop(store_url: str) -> None:
    begun, ended = threading.Event(), threading.Event()

    def listen(server: httpx.URL) -> None:
        with httpx.stream("GET", server.join("/v1/namespaces/silent/stream"), timeout=30) as answer:
            for _ in answer.iter_lines():
                begun.set()
        ended.set()

    with serving(store_url) as api:
        listening = threading.Thread(target=listen, args=(api.base_url,))
        listening.start()
        assert begun.wait(20)
    # ``serving`` sent a SIGTERM and saw the process exit with 0.
    listening.join(10)
    assert ended.is_set()
