"""The twenty orders on a platform that runs already, as on a Knative cluster (knative/README.md).

    python cluster.py --orchestrate http://orchestrate.lowtide.127.0.0.1.sslip.io:8080 \\
                      --analytics http://analytics.lowtide.127.0.0.1.sslip.io:8080

Exit code 0 when every order completed, 1 otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from board import Board
from orders import NAMESPACE, Customers, load
from summary import Fulfilment, lines_of

from lowtide.clients.analytics import Analytics
from lowtide.clients.http import HttpClient
from lowtide.clients.orchestrate import Orchestrate
from lowtide.errors import LowtideError

__all__ = ["main", "run"]

_HERE: Final = Path(__file__).parent
_SHOP: Final = "http://shop.lowtide.svc.cluster.local"
_PERIOD: Final = 1.0
_ATTEMPTS: Final = 30
"""A function at zero needs a moment, a first image pull more."""


async def run(orchestrate: str, analytics: str, shop: str) -> bool:
    """Deploy, order, wait, pay, tell; whether every order completed. Events go in through orchestrate's own address."""
    async with (
        Orchestrate(orchestrate, attempts=_ATTEMPTS) as api,
        HttpClient(f"{orchestrate.rstrip('/')}/v1/namespaces/{NAMESPACE}/events", attempts=_ATTEMPTS) as events,
        Analytics(analytics, attempts=_ATTEMPTS) as reports,
    ):
        for name in ("shipment.yaml", "order.yaml"):
            deployed = await api.deploy(NAMESPACE, (_HERE / name).read_text(encoding="utf-8"))
            print(f"deployed {deployed['name']} {deployed['version']}", flush=True)
        board, customers, orders = Board(api), Customers(api, events), load(shop)
        half = len(orders) // 2
        await asyncio.gather(
            *(customers.order_by_http(order) for order in orders[:half]),
            *(customers.order_by_event(order) for order in orders[half:]),
        )
        await _until(board, lambda: board.awaiting_payment == len(orders))
        await asyncio.gather(*(customers.pay(order) for order in orders))
        await _until(board, lambda: board.ended == len(orders))
        told = [await _fulfilment(order["id"], number < half, board, reports) for number, order in enumerate(orders)]
    for fulfilment in told:
        print(*lines_of(fulfilment), sep="\n")
    completed = sum(fulfilment.completed for fulfilment in told)
    print(f"{completed} of {len(told)} orders completed, {sum(one.active for one in told):.1f} active seconds")
    return completed == len(told)


async def _until(board: Board, done: Callable[[], bool]) -> None:
    shown: Any = None
    while not done():
        await asyncio.sleep(_PERIOD)
        await board.look()
        if (phases := dict(board.phases)) != shown:
            print("  ".join(f"{phase} {count}" for phase, count in sorted(phases.items())), flush=True)
            shown = phases


async def _fulfilment(order: str, by_http: bool, board: Board, reports: Analytics) -> Fulfilment:
    execution = board.executions[order]
    timeline = await reports.timeline(NAMESPACE, execution["id"])
    return Fulfilment(order, "by HTTP" if by_http else "by CloudEvent", execution, [timeline])


def main() -> int:
    """The exit code."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--orchestrate", required=True, metavar="URL")
    options.add_argument("--analytics", required=True, metavar="URL")
    options.add_argument("--shop", default=_SHOP, metavar="URL", help="where execute finds the shop")
    options.add_argument("--limit", type=float, default=600.0, metavar="SECONDS", help="give up after this long")
    given = options.parse_args()
    try:
        work = run(given.orchestrate, given.analytics, given.shop)
        return 0 if asyncio.run(asyncio.wait_for(work, given.limit)) else 1
    except LowtideError as error:
        print(f"demo: {error}", file=sys.stderr)
    except TimeoutError:
        print(f"demo: not all orders had ended after {given.limit:g} s", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
