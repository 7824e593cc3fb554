"""Measures as a reader of Prometheus's finds them, and the port on which they are read."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from lowtide.errors import Misconfigured
from lowtide.telemetry.exposition import exposition
from lowtide.telemetry.measures import Count, Measure, Reading, Spread
from lowtide.telemetry.requests import HttpMeasures
from lowtide.telemetry.serving import serving_measures
from tests.ports import free_port

pytestmark = pytest.mark.anyio


def samples(*measures: Measure) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """What Prometheus's own parser reads out of an exposition."""
    text = exposition(measures)[1].decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def served(port: int, measures: Sequence[Measure], path: str = "/metrics") -> httpx.Response:
    async def asked() -> Sequence[Measure]:
        return measures

    async with serving_measures("tests", "127.0.0.1", port, asked), httpx.AsyncClient() as client:
        return await client.get(f"http://127.0.0.1:{port}{path}")


def test_a_count_grows_for_each_combination_of_labels() -> None:
    count = Count("lowtide_things_total", "Things", ("kind", "result"))
    count.add("a", "good")
    count.add("a", "good", by=2)
    count.add('with "quotes"\nand a line', "bad")
    found = samples(count)
    assert found["lowtide_things_total", (("kind", "a"), ("result", "good"))] == 3
    assert found["lowtide_things_total", (("kind", 'with "quotes"\nand a line'), ("result", "bad"))] == 1


def test_a_count_without_labels_is_there_before_anything_is_counted() -> None:
    assert samples(Count("lowtide_things_total", "Things"))["lowtide_things_total", ()] == 0


def test_a_spread_counts_each_value_in_all_buckets_that_hold_it() -> None:
    spread = Spread("lowtide_things_seconds", "Things", bounds=(0.1, 1.0))
    for seconds in (0.05, 0.1, 0.5, 7.0):
        spread.see(seconds)
    found = samples(spread)
    assert [found["lowtide_things_seconds_bucket", (("le", bound),)] for bound in ("0.1", "1.0", "+Inf")] == [2, 3, 4]
    assert found["lowtide_things_seconds_count", ()] == 4
    assert found["lowtide_things_seconds_sum", ()] == pytest.approx(7.65)


def test_a_reading_is_asked_for_when_it_is_told() -> None:
    level = 3
    reading = Reading("lowtide_level", "Level", lambda: level)
    level = 4
    assert samples(reading)["lowtide_level", ()] == 4


async def test_measures_are_read_over_http() -> None:
    answer = await served(free_port(), [Count("lowtide_things_total", "Things")])
    assert answer.status_code == 200
    assert "lowtide_things_total 0.0" in answer.text
    assert 'lowtide_build_info{part="tests"' in answer.text
    assert "process_cpu_seconds_total" in answer.text


async def test_whoever_asks_for_another_path_is_told_so() -> None:
    assert (await served(free_port(), [], "/")).status_code == 404


async def test_a_measure_that_cannot_be_read_breaks_its_reader_alone() -> None:
    broken = Reading("lowtide_broken", "Broken", lambda: 1 / 0)
    assert (await served(free_port(), [broken])).status_code == 500


async def test_a_reader_that_says_nothing_keeps_no_other_waiting() -> None:
    async def asked() -> Sequence[Measure]:
        return [Count("lowtide_things_total", "Things")]

    port = free_port()
    async with serving_measures("tests", "127.0.0.1", port, asked):
        _, silent = await asyncio.open_connection("127.0.0.1", port)
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/metrics")).status_code == 200
        silent.close()


async def test_a_port_that_is_taken_is_said_at_the_start() -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(Misconfigured, match=f"LOWTIDE_METRICS_PORT={port}"):
        await served(port, [])
    taken.close()


async def test_a_port_without_the_extra_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(Misconfigured, match=r"install lowtide\[metrics\]"):
        await served(free_port(), [])


async def test_requests_are_counted_by_the_route_as_it_is_written() -> None:
    from fastapi import FastAPI

    app, measures = FastAPI(), HttpMeasures()
    app.add_middleware(measures.around)

    @app.get("/things/{secret}")
    async def thing(secret: str) -> str:
        if secret == "none":
            raise ValueError(secret)
        return secret

    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://tests") as client:
        for path in ("/things/one", "/things/two", "/things/none", "/elsewhere/one", "/livez"):
            await client.get(path)
    assert measures.requests.values == {
        ("GET", "/things/{secret}", "200"): 2,
        ("GET", "/things/{secret}", "500"): 1,
        ("GET", "none", "404"): 1,
    }
