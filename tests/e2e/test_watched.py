"""What Lowtide tells of itself, as who operates it sees it: real processes, and one execution that parks."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.databases import database
from tests.e2e.installation import Installation, installation
from tests.ingests import make_stores
from tests.peers import Peer, peer
from tests.standins.collector import Collector, Received, collector

_DOCS = Path(__file__).parents[2] / "docs" / "observability.md"

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
PARKING = """
document: {{dsl: '1.0.3', namespace: tests, name: parking, version: '1.0.0'}}
do:
  - ask: {{call: http, with: {{method: get, endpoint: '{url}/first'}}}}
  - rest: {{wait: {{milliseconds: 200}}}}
  - again: {{call: http, with: {{method: get, endpoint: '{url}/second'}}}}
  - done: {{set: {{well: true}}}}
"""


@pytest.fixture(scope="module")
def shop() -> Iterator[Peer]:
    """Its first answer is large: it travels by the payload store from then on."""
    with peer(
        lambda request: (200, {"path": request.path, "more": "x" * (300_000 * (request.path == "/first"))})
    ) as made:
        yield made


@pytest.fixture(scope="module")
def traces() -> Iterator[Collector]:
    with collector() as made:
        yield made


@pytest.fixture(scope="module")
def watched(
    postgres: str, migrated_store: str, shop: Peer, traces: Collector, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    with database(postgres, like=migrated_store) as control, make_stores(postgres) as stores:
        folder = tmp_path_factory.mktemp("watched")
        with installation(control, stores, folder, OTEL_EXPORTER_OTLP_ENDPOINT=traces.endpoint) as made:
            made.deploy(PARKING.format(url=shop.url))
            yield made


@pytest.fixture(scope="module")
def parked(watched: Installation) -> str:
    """An execution that parked once and has completed."""
    execution = watched.start("parking", {}, {"traceparent": f"00-{TRACE}-{CALLER}-01", "tracestate": "shop=7"})
    assert watched.ended(execution)["phase"] == "completed"
    return execution


def families(watched: Installation, name: str) -> dict[str, Any]:
    answer = httpx.get(f"http://127.0.0.1:{watched.metrics[name]}/metrics", timeout=10)
    assert answer.status_code == 200, answer.text
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def test_every_measure_is_documented_and_every_documented_one_is_there(watched: Installation, parked: str) -> None:
    """Of each deployable, by the table of its part."""
    exposed = {
        part: {name for name in families(watched, part) if name.startswith("lowtide_")} for part in watched.metrics
    }
    for part, names in exposed.items():
        assert names <= documented("All four") | documented(part), part
        assert documented(part) <= names, part
    assert documented("All four") == set().union(*exposed.values()) & documented("All four")


def test_an_execution_is_one_trace_from_the_request_to_its_last_task(
    watched: Installation, traces: Collector, parked: str
) -> None:
    spans = whole(watched, traces)
    request = one(spans, "POST /v1/namespaces/{namespace}/workflows/{name}/executions")
    start = one(spans, "start parking")
    assert (request.part, request.parent) == ("lowtide-orchestrate", CALLER)
    assert start.parent == request.id
    assert start.attributes["lowtide.execution"] == parked
    dispatches, invocations = named(spans, "dispatch parking"), named(spans, "invocation parking")
    assert [span.parent for span in dispatches] == [start.id] * 2
    assert [span.parent for span in invocations] == [span.id for span in dispatches]
    assert [span.attributes["lowtide.end"] for span in invocations] == ["parked", "completed"]
    assert one(spans, "set done").parent == invocations[1].id
    assert one(spans, "parked").parent == invocations[0].id
    assert one(spans, "completed").parent == invocations[1].id


def test_an_invocation_is_linked_to_the_one_before_it_parked(
    watched: Installation, traces: Collector, parked: str
) -> None:
    spans = whole(watched, traces)
    first, second = named(spans, "invocation parking")
    assert not first.links
    assert second.links == [(TRACE, first.id)]
    asleep, awake = sorted((span for span in spans if span.name.endswith("rest")), key=lambda span: span.began)
    assert asleep.attributes["lowtide.status"] == "under way"
    assert awake.attributes["lowtide.status"] == "completed"
    assert (asleep.parent, awake.parent) == (first.id, second.id)
    assert awake.links == [(TRACE, asleep.id)]


def test_a_call_says_in_which_trace_it_is_made(
    watched: Installation, traces: Collector, shop: Peer, parked: str
) -> None:
    spans = whole(watched, traces)
    calls = named(spans, "call http")
    assert [span.parent for span in calls] == [one(spans, "call ask").id, one(spans, "call again").id]
    heard = [request.headers for request in shop.requests]
    assert [told["traceparent"] for told in heard] == [f"00-{TRACE}-{span.id}-01" for span in calls]
    assert {told["tracestate"] for told in heard} == {"shop=7"}


def test_what_an_append_waited_for_is_in_the_trace_on_both_sides(
    watched: Installation, traces: Collector, parked: str
) -> None:
    spans = whole(watched, traces)
    asked = {span.id: span for span in spans if span.name in ("journal append", "journal close")}
    commits = named(spans, "journal commit")
    assert {span.part for span in commits} == {"lowtide-ingest"}
    assert {span.parent for span in commits} == set(asked)
    assert all(asked[span.parent].parent in {one.id for one in named(spans, "invocation parking")} for span in commits)


def test_a_call_to_ingest_is_in_the_trace_of_who_made_it(watched: Installation, traces: Collector, parked: str) -> None:
    """The first opening rides on the stream; the second, after the park, is a call of its own."""
    spans = whole(watched, traces)
    assert one(spans, "Open").part == "lowtide-ingest"
    assert one(spans, "Open").parent == named(spans, "journal open")[1].id


def test_what_large_data_took_is_in_the_trace_on_both_sides(
    watched: Installation, traces: Collector, parked: str
) -> None:
    """The result of the first call is put, and the state that the execution parks with; that one is got again."""
    spans = whole(watched, traces)
    first, close = named(spans, "invocation parking")[0], named(spans, "journal close")[0]
    puts, gets = named(spans, "payload put"), named(spans, "payload get")
    assert [span.parent for span in puts] == [first.id, close.id]
    assert [span.parent for span in gets] == [named(spans, "dispatch parking")[1].id]
    assert {span.part for span in puts + gets} == {"lowtide-execute"}
    for asked, answered in ((puts, "PutPayload"), (gets, "GetPayload")):
        served = named(spans, answered)
        assert {span.part for span in served} == {"lowtide-ingest"}
        assert sorted(span.parent for span in served) == sorted(span.id for span in asked)
        assert all(span.attributes["lowtide.bytes"] > 300_000 for span in asked)


def test_logs_are_lines_of_json_that_say_of_which_execution_and_trace_they_are(
    watched: Installation, parked: str
) -> None:
    said = {name: [json.loads(line) for line in watched.log(name).read_text().splitlines()] for name in watched.ports}
    assert all({"time", "level", "logger", "message"} <= set(line) for lines in said.values() for line in lines)
    ends = [line for line in said["execute"] if line["message"] == "invocation ended"]
    first = [line for line in ends if line["execution"] == parked]
    assert [line["trace_id"] for line in first] == [TRACE] * 2
    assert len({line["span_id"] for line in first}) == 2


def test_the_last_spans_are_sent_before_a_process_ends(watched: Installation, traces: Collector, parked: str) -> None:
    trace = TRACE[::-1]
    execution = watched.start("parking", {}, {"traceparent": f"00-{trace}-{CALLER}-01"})
    assert watched.ended(execution)["phase"] == "completed"
    assert watched.terminate("execute") == 0
    ends = [span.attributes["lowtide.end"] for span in named(traces.spans(trace), "invocation parking")]
    assert sorted(ends) == ["completed", "parked"]
    watched.run("execute")


def test_what_is_not_sampled_is_recorded_nowhere_and_handed_on(
    watched: Installation, traces: Collector, shop: Peer, parked: str
) -> None:
    trace = "f" + TRACE[1:]
    execution = watched.start("parking", {}, {"traceparent": f"00-{trace}-{CALLER}-00"})
    assert watched.ended(execution)["phase"] == "completed"
    told = shop.requests[-1].headers["traceparent"]
    assert told.startswith(f"00-{trace}-")
    assert told.endswith("-00")
    assert not traces.spans(trace)


def test_a_collector_that_is_away_costs_spans_and_nothing_else(
    watched: Installation, traces: Collector, parked: str
) -> None:
    """The last one here: from now on nobody takes any."""
    traces.stop()
    execution = watched.start("parking", {})
    assert watched.ended(execution)["phase"] == "completed"
    assert [watched.terminate(part) for part in ("execute", "orchestrate", "ingest")] == [0, 0, 0]


def whole(watched: Installation, traces: Collector) -> list[Received]:
    """All spans of the trace, in the order of their beginnings, once all three processes have sent theirs."""

    def complete() -> bool:
        count = Counter(span.name for span in traces.spans(TRACE))
        answered = count["journal commit"] == count["journal append"] + count["journal close"]
        return count["invocation parking"] == 2 and count["completed"] == 1 and answered

    watched.until(complete)
    return sorted(traces.spans(TRACE), key=lambda span: span.began)


def named(spans: list[Received], name: str) -> list[Received]:
    return [span for span in spans if span.name == name]


def one(spans: list[Received], name: str) -> Received:
    (found,) = named(spans, name)
    return found


def documented(part: str) -> set[str]:
    """Names of the families in one table of the page."""
    section = _DOCS.read_text().partition(f"### {part}\n")[2].partition("\n#")[0]
    found = re.findall(r"^\| `(lowtide_\w+)` \|", section, re.MULTILINE)
    assert found, part
    return {name.removesuffix("_total") for name in found}
