"""`lowtide cost` prints what the usage that was reported costs, by the formula in docs/cost.md."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg
import pytest

from functions.ingest.projecting import Projector
from lowtide.cli import main
from lowtide.model.base import Millis
from lowtide.model.cost import PRESETS, Prices, Quantities, bill, price
from lowtide.rpc.v1 import ingest_pb2 as pb
from lowtide.runtime.chance import new_execution_id
from lowtide.settings import AnalyticsSettings
from lowtide.storage.database import Database
from tests.integration.analytics.reports import NOON, mounted

_NOON = int(NOON.timestamp() * 1000)
_EXECUTION = new_execution_id(Millis(_NOON))


def _usage(execution: str, epoch: int, at: float, active: float, *, workflow: str, cold: bool) -> pb.InvocationUsage:
    whom = pb.Subject(namespace="shop", workflow=workflow, version="1", execution=execution)
    return pb.InvocationUsage(
        subject=whom, epoch=epoch, at=_NOON + int(at * 1000), active_ms=active * 1000, cpu_ms=active * 250,
        memory_bytes=2**28, cold_start=cold, cold_start_ms=400,
    )  # fmt: skip


def _reported() -> pb.Batch:
    """Thirty invocations, of which 25 are active at noon and ten seconds."""
    usages = [_usage(_EXECUTION, 1, 12, 4, workflow="order", cold=True)]
    usages[0].input_tokens, usages[0].output_tokens = 1000, 200
    usages += [
        _usage(new_execution_id(Millis(_NOON + n)), 1, 11 + n / 100, 3 + n / 10, workflow="parcel", cold=n % 5 == 0)
        for n in range(24)
    ]
    usages += [_usage(str(UUID(int=7)), n, 60 + n, 0.5, workflow="order", cold=False) for n in range(5)]
    whom = pb.Subject(namespace="shop", workflow="order", version="1", execution=_EXECUTION)
    facts = [
        pb.TaskFact(subject=whom, number=n, task=name, name=name, reference=f"/do/{name}", kind="call", at=_NOON,
                    status="completed", effect="http", active_ms=active, bytes_in=10, bytes_out=7,
                    input_tokens=1000 * n, output_tokens=200 * n)
        for n, (name, active) in enumerate({"pay": 1000.0, "ship": 3000.0}.items())
    ]  # fmt: skip
    return pb.Batch(usages=usages, facts=facts)


async def _write(url: str) -> None:
    database = Database("analytics", url, 1)
    projector = Projector(database)
    projector.offer(_reported())
    running = asyncio.create_task(projector.run())
    await projector.drained()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await database.close()


@pytest.fixture(scope="module")
def server(store_url: str) -> Iterator[str]:
    asyncio.run(_write(store_url))
    with mounted(AnalyticsSettings(analytics_url=store_url)) as url:
        yield url


_SPANS = """SELECT extract(epoch from at)::float8 * 1000 - active_ms, extract(epoch from at)::float8 * 1000 FROM usage
             WHERE namespace = 'shop'"""


def _busy(spans: Sequence[tuple[float, float]], share: int) -> float:
    """Milliseconds in which instances are active, moment by moment."""
    moments = sorted({moment for span in spans for moment in span})
    return sum(
        math.ceil(sum(begin <= one and two <= end for begin, end in spans) / share) * (two - one)
        for one, two in pairwise(moments)
    )


def _of_rows(url: str, share: int) -> Quantities:
    query = """SELECT count(*), count(*) FILTER (WHERE cold_start), sum(active_ms), sum(cpu_ms),
                      sum(cold_start_ms) FILTER (WHERE cold_start),
                      sum(memory_bytes / 1073741824.0 * active_ms / 1000)::float8 FROM usage WHERE namespace = 'shop'"""
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
        spans = connection.execute(_SPANS.encode()).fetchall()
    assert row is not None
    invocations, cold, active, cpu, cold_ms, gb_seconds = row
    return Quantities(
        invocations=invocations, cold_starts=cold, active_ms=active, cpu_ms=cpu, cold_start_ms=cold_ms,
        gb_seconds=gb_seconds, instance_ms=_busy(spans, share),
    )  # fmt: skip


def _code(*arguments: str) -> object:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    return ended.value.code


def _cost(server: str, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert _code("cost", "--server", server, "--namespace", "shop", *arguments) == 0
    return capsys.readouterr().out


_WINDOW = ("--from", NOON.isoformat(), "--to", (NOON + timedelta(hours=1)).isoformat())


@pytest.mark.parametrize("preset", PRESETS)
def test_the_printed_figures_are_those_of_the_usage_rows(
    preset: str, server: str, store_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    prices = PRESETS[preset]
    expected = bill(_of_rows(store_url, prices.share), 25, 3600, prices)
    printed = _cost(server, capsys, *_WINDOW, "--prices", preset)
    assert f"{expected.price:.8f} USD" in printed
    assert f"always on: {expected.always_on.price:.8f} USD; saved: {expected.saving:.8f} USD" in printed
    assert expected.always_on.instances == 2, "25 at once are more than one instance serves"
    found = json.loads(_cost(server, capsys, *_WINDOW, "--prices", preset, "--json"))
    assert found["bill"]["price"] == pytest.approx(expected.price, rel=1e-9)
    assert sum(item["price"] for item in found["items"]) == pytest.approx(expected.price, rel=1e-9)
    assert [item["what"] for item in found["items"]] == ["order", "parcel"]


def test_the_formula_is_what_a_calculator_makes_of_the_list_prices() -> None:
    of = Quantities(invocations=1000, cold_starts=10, active_ms=99_000, cold_start_ms=1000)
    found = bill(of, 41, 3600, PRESETS["google-cloud-run"])
    assert found.price == pytest.approx(100 * 0.000024 + 50 * 0.0000025 + 1000 * 0.0000004)
    assert found.always_on.price == pytest.approx(3 * 3600 * (0.000018 + 0.5 * 0.000002))
    together = bill(msgspec.structs.replace(of, instance_ms=9_000), 41, 3600, PRESETS["google-cloud-run"])
    assert together.price == pytest.approx(10 * 0.000024 + 5 * 0.0000025 + 1000 * 0.0000004)
    assert found.saving == found.always_on.price - found.price
    assert "41 invocations at once / 20 per instance" in "\n".join(found.formula)
    idle = bill(Quantities(), 0, 3600, PRESETS["google-cloud-run"])
    assert (idle.price, idle.always_on.instances, idle.share) == (0.0, 1, 1.0)


def test_prices_of_ones_own_come_from_a_file(
    server: str, store_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "cluster.yaml"
    file.write_text("basis: used\ncurrency: EUR\nvcpuSecond: 0.00001\ngbSecond: 0.000002\nalwaysVcpuSecond: 0.00001\n")
    own = Prices(name="cluster", basis="used", currency="EUR", vcpu_second=0.00001, gb_second=0.000002)
    expected = price(_of_rows(store_url, 20), own)
    assert f"{expected:.8f} EUR" in _cost(server, capsys, *_WINDOW, "--prices", str(file))
    execution = json.loads(_cost(server, capsys, "--execution", _EXECUTION, "--prices", str(file), "--json"))
    assert execution["price"] == pytest.approx(1.0 * 0.00001 + 1.0 * 0.000002)


def test_an_execution_and_its_tasks_have_their_price(server: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(_cost(server, capsys, "--execution", _EXECUTION, "--json"))
    expected = 4.4 * 0.000024 + 2.2 * 0.0000025 + 0.0000004
    assert found["price"] == pytest.approx(expected)
    tasks = {task["name"]: (task["effect"], task["bytesOut"], task["price"]) for task in found["tasks"]}
    assert tasks == {
        "ship": ("http", 7, pytest.approx(expected * 3 / 4.4)),
        "pay": ("http", 7, pytest.approx(expected / 4.4)),
    }
    assert "/do/ship" in _cost(server, capsys, "--execution", _EXECUTION)


def test_tokens_cost_what_the_price_list_says_and_the_task_whose_they_are_pays_for_them(
    server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("millionInputTokens: 2\nmillionOutputTokens: 8\nmillionTokens: 1\nmillionRequests: 4\n")
    tokens = (1000 * 3 + 200 * 9) / 1e6
    found = json.loads(_cost(server, capsys, "--execution", _EXECUTION, "--prices", str(file), "--json"))
    assert found["price"] == pytest.approx(tokens + 4e-6)
    tasks = {task["name"]: (task["inputTokens"], task["outputTokens"], task["price"]) for task in found["tasks"]}
    assert tasks["pay"] == (0, 0, pytest.approx(4e-6 / 4.4))
    assert tasks["ship"] == (1000, 200, pytest.approx(tokens + 4e-6 * 3 / 4.4))
    assert "1000 tokens read and 200 written" in _cost(server, capsys, "--execution", _EXECUTION)
    window = json.loads(_cost(server, capsys, *_WINDOW, "--prices", str(file), "--json"))
    assert (window["quantities"]["inputTokens"], window["quantities"]["outputTokens"]) == (1000, 200)
    assert "1000 tokens read / 1e6 x 3" in "\n".join(window["bill"]["formula"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--prices", "moon"], "there is no price list 'moon' here; there are "),
        (["--prices", "no-such.yaml"], "there is no price list 'no-such.yaml': name one of"),
        (["--from", "yesterday"], "write an ISO 8601 moment"),
        (["--from", "2020-01-01T00:00:00Z"], "longer than 92 days"),
        (["--execution", str(UUID(int=1))], "nothing is known of an execution"),
        (["--execution", str(UUID(int=1)), "--by", "day"], "leave --by"),
    ],
)
def test_what_cannot_be_answered_says_how_to_ask(
    arguments: list[str], says: str, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _code("cost", "--server", server, *arguments) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("text", ["- 1", "vcpuSecond: -1", "concurrency: 0", "price: 3", "vcpus: .inf", "{"])
def test_a_file_that_is_no_price_list_is_refused_with_the_reason(
    text: str, server: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    assert _code("cost", "--server", server, "--prices", str(file)) == 2
    assert "is no price list" in capsys.readouterr().err
