"""The example's own pieces: its documents, its step, its shop, and the check that the demo ends with."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from aiohttp import ClientSession, web

from lowtide.dsl import check as check_document
from lowtide.dsl import plan
from lowtide.effects import build
from lowtide.expressions import JqHost
from lowtide.model.state import Completed
from lowtide.runtime.inprocess import run_plan
from lowtide.runtime.steps import StepRegistry
from lowtide.testing.clock import VirtualClock

pytestmark = pytest.mark.anyio

_FOLDER = Path(__file__).parents[3] / "examples" / "order-fulfilment"


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"order_fulfilment_{name}", _FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def steps() -> ModuleType:
    return _module("steps")


@pytest.fixture(scope="module")
def shop() -> ModuleType:
    return _module("shop")


@pytest.fixture(scope="module")
def check() -> ModuleType:
    return _module("check")


def _document(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["order.yaml", "shipment.yaml"])
async def test_the_documents_have_neither_errors_nor_warnings(name: str) -> None:
    assert check_document(_document(name), name).problems == ()


async def test_a_price_is_the_sum_of_its_lines_less_the_discount(steps: ModuleType) -> None:
    basket = [{"sku": "A", "quantity": 2, "cents": 1050}, {"sku": "B", "quantity": 1, "cents": 900}]
    assert steps.price(basket) == {"total": 30.0, "items": 3}
    assert steps.price(basket, discount=10) == {"total": 27.0, "items": 3}


@pytest.mark.parametrize("by", ["HTTP", "CloudEvent"])
async def test_an_order_is_fulfilled_however_it_came(
    by: str, steps: ModuleType, shop: ModuleType, tmp_path: Path
) -> None:
    log = tmp_path / "shop.jsonl"
    order = json.loads(_document("orders.json"))[1]
    runner = web.AppRunner(shop.Shop(log, failures=2, delay=0.0).app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    order["shop"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
    effects = build(step=StepRegistry([steps.price]).perform, allow_loopback=True)
    payments = [_payment("other", 1), _payment(order["id"], 2)]
    shipment = plan(_document("shipment.yaml"), "shipment.yaml")
    host = JqHost()
    try:
        report = await run_plan(
            plan(_document("order.yaml"), "order.yaml"),
            [order] if by == "CloudEvent" else order,
            host=host,
            effects=effects,
            clock=VirtualClock(),
            events=payments,
            find=lambda namespace, name, version: shipment,
        )
    finally:
        host.close()
        await effects.close()
        await runner.cleanup()
    assert isinstance(report.outcome, Completed)
    assert report.outcome.output["tracking"] == "AIR-A-002"
    assert report.outcome.output["payment"] == "B-2"
    calls = [json.loads(line) for line in log.read_text().splitlines()]
    assert [call["status"] for call in calls if call["path"] == "/fraud-checks"] == [503, 503, 200]
    assert len({call["key"] for call in calls}) == len(calls) == 6


def _payment(order: str, number: int) -> dict[str, object]:
    data = {"orderId": order, "reference": f"B-{number}"}
    return {"specversion": "1.0", "id": str(number), "source": "/bank", "type": "shop.payment.received", "data": data}


async def test_the_shop_answers_a_repeated_key_as_it_did_before(shop: ModuleType, tmp_path: Path) -> None:
    runner = web.AppRunner(shop.Shop(tmp_path / "log", failures=1, delay=0.0).app())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/fraud-checks"
    statuses = []
    async with ClientSession() as session:
        for key in ("a", "a", "a", "b"):
            answer = await session.post(url, json={"orderId": "1"}, headers={"Idempotency-Key": key})
            statuses.append(answer.status)
    await runner.cleanup()
    assert statuses == [503, 200, 200, 200]


async def test_a_call_after_its_result_was_journaled_is_a_breach(check: ModuleType) -> None:
    calls = [check.Call("e/a", 10, "/x", "1"), check.Call("e/a", 30, "/x", "1"), check.Call("e/b", 99, "/y", "1")]
    [breach] = check.breaches(calls, [check.Result("e/a", 20)])
    assert str(breach) == "order 1: /x was called 10 ms after its result was journaled"


async def test_a_call_that_was_repeated_before_its_result_was_journaled_is_none(check: ModuleType) -> None:
    calls = [check.Call("e/a", 10, "/x", "1"), check.Call("e/a", 15, "/x", "1")]
    assert check.breaches(calls, [check.Result("e/a", 20)]) == []
