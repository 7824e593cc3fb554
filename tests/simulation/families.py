"""Documents that neighbouring seeds share: to check and deploy some for each world would be half of what a world costs.

A family is drawn from its number and deployed in peace; its worlds are the seeds that have that number.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import Any, Final, cast

from functions.orchestrate.deploying import deploy
from functions.orchestrate.store.database import Database
from functions.orchestrate.work import Desk, Terms, Work
from lowtide.dsl import check
from lowtide.testing.simulate.faults import Faults, Odds
from lowtide.testing.simulate.loop import Loop
from lowtide.testing.simulate.postgres import Station, Store
from lowtide.wire import json
from tests.simulation.engines import Engines
from tests.simulation.replicas import HOST, KEY
from tests.simulation.workflows import Document, child, drawn, follower

__all__ = ["Families", "Family"]

_WORLDS: Final = 100
_SAMPLES: Final = 8

_DEPLOYED: Final = {
    **dict.fromkeys(("control.namespaces", "control.workflows", "control.workflow_versions", "control.interests")),
    "control.subscriptions": "execution IS NOT NULL",
}
"""Tables that hold what is deployed: which of their rows a world leaves behind, if any."""


@dataclass(frozen=True)
class Family:
    """``samples`` are started by users, ``others`` by them and by events. ``plans``: by name, as JSON."""

    samples: tuple[Document, ...]
    others: tuple[Document, ...]
    plans: dict[str, str]

    def needed_by(self, samples: list[Document]) -> list[Document]:
        """Those samples, and whatever they start."""
        texts = "".join(document.source for document in samples)
        return [*samples, *(one for one in self.others if one.trigger in texts)]


class Families:
    """Has the family of a seed in the stores before its world begins."""

    def __init__(self, station: Station, url: str, engines: Engines) -> None:
        self._station, self._url, self._engines = station, url, engines
        self._number = -1
        self._family = Family((), (), {})

    def ready(self, seed: int) -> Family:
        """The stores hold the family's documents then, and nothing else."""
        number = seed // _WORLDS
        if number != self._number:
            self._number = -1
            self._station.empty(everything=True)
            self._family = self._deployed(number)
            self._station.spare(_DEPLOYED)
            self._number = number
        self._station.empty()
        return self._family

    def _deployed(self, number: int) -> Family:
        chance = random.Random(f"family {number}")
        samples = tuple(drawn(chance, f"sample{index}") for index in range(_SAMPLES))
        others = child(), follower()
        for document in (*samples, *others):
            document.limit = chance.choice((None, None, None, None, 1, 2))
        family = Family(samples, others, {})
        loop = Loop()
        asyncio.set_event_loop(loop)
        store = Store(self._station, "control", self._url, Faults(chance, Odds(), stopped=True))
        try:
            loop.run_until_complete(self._deploy(family, store))
        finally:
            store.interrupt()
            loop.end()
            asyncio.set_event_loop(None)
        return family

    async def _deploy(self, family: Family, store: Store) -> None:
        database = Database("postgresql://simulated", 1)
        database.engine = self._engines.make(store)
        desk = Desk(database, Terms(key=KEY), HOST, cast(Any, None))
        for document in (*family.samples, *family.others):
            source = document.source
            checked = check(source, f"{document.name}.json")
            plan = checked.plan
            assert plan is not None, checked

            async def one(work: Work, source: str = source, plan: Any = plan, checked: Any = checked) -> None:
                await deploy(work, source, plan, checked)

            await desk.do(one)
            family.plans[document.name] = json.encode(plan).decode()
        await database.close()
