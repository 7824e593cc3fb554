"""Brings the control store to the newest version: ``python -m functions.orchestrate.migrate``.

Exit codes: 0 when it is, 1 where the database cannot be reached, 2 where a setting is wrong.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from lowtide.settings import MigrateSettings
from lowtide.storage import migrating

__all__ = ["main", "upgrade"]

_LOCK: Final = 0x10_71_DE_03
"""Any number, the same for all who migrate this store."""


def upgrade(url: str) -> None:
    """Apply what is missing, in one transaction. Raises :class:`lowtide.errors.Unavailable`."""
    migrating.upgrade_store(url, "control", Path(__file__).parent / "migrations", _LOCK)


def main() -> int:
    return migrating.run(upgrade, lambda: MigrateSettings.from_environment().control_url, "LOWTIDE_CONTROL_URL")


if __name__ == "__main__":
    sys.exit(main())
