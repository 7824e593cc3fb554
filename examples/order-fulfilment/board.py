"""Which order is where: executions of the order workflow, looked up with orchestrate, told apart by their input."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from orders import NAMESPACE

from lowtide.clients.orchestrate import Orchestrate
from lowtide.model.phase import ENDED

__all__ = ["Board"]

_WAITS_FOR_PAYMENT: Final = "/do/5/awaitPayment"


class Board:
    """:meth:`look` brings it up to date; ``executions`` are the order workflow's, by order id."""

    def __init__(self, api: Orchestrate) -> None:
        self._api = api
        self._orders: dict[str, str] = {}
        self.executions: dict[str, dict[str, Any]] = {}

    async def look(self) -> None:
        """One list, and one look at each execution that has gone on since the last one."""
        async for listed in self._api.all_executions(NAMESPACE, workflow="order"):
            known = self.executions.get(self._orders.get(listed["id"], ""))
            if known is None or (known["phase"], known["epoch"]) != (listed["phase"], listed["epoch"]):
                found = await self._api.execution(NAMESPACE, listed["id"])
                given = found["input"]
                order = (given[0] if isinstance(given, list) else given)["id"]
                self._orders[listed["id"]] = order
                self.executions[order] = found

    @property
    def phases(self) -> Counter[str]:
        return Counter(execution["phase"] for execution in self.executions.values())

    @property
    def ended(self) -> int:
        return sum(execution["phase"] in ENDED for execution in self.executions.values())

    @property
    def awaiting_payment(self) -> int:
        """How many wait for nothing but their payment (or have ended already)."""
        return sum(
            execution["phase"] in ENDED
            or any(_WAITS_FOR_PAYMENT in waiting["command"] for waiting in execution.get("waitingFor") or [])
            for execution in self.executions.values()
        )
