"""What the migrations of the three stores share: one transaction under a lock, and one way to say that it failed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, exc, text

from lowtide.errors import LowtideError, Misconfigured, Unavailable
from lowtide.storage.addresses import url_of

__all__ = ["run", "upgrade_store"]


def upgrade_store(url: str, store: str, scripts: Path, lock: int, revision: str = "head") -> None:
    """Apply what ``revision`` needs of the folder ``scripts`` to the database of ``url``; two at once wait in turn.

    ``lock`` is any number, the same for all who migrate this store. Raises :class:`lowtide.errors.Unavailable` where
    the database cannot be reached, :class:`lowtide.errors.Misconfigured` where the URL is not PostgreSQL's.
    """
    config = Config()
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    engine = create_engine(url_of(url, f"LOWTIDE_{store.upper()}_URL"), connect_args={"connect_timeout": 10})
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": lock})
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except exc.OperationalError as error:
        lines = str(error.orig).strip().splitlines()
        raise Unavailable(f"the {store} store cannot be migrated: {lines[0] if lines else error}") from error
    finally:
        engine.dispose()


def run(upgrade: Callable[[str], None], url: Callable[[], str], variable: str) -> int:
    """The command: 0 when the store is up to date, 1 where it cannot be reached, 2 where a setting is wrong."""
    try:
        address = url()
        if not address:
            raise Misconfigured(f"{variable} is not set")
        upgrade(address)
    except LowtideError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, Misconfigured) else 1
    return 0
