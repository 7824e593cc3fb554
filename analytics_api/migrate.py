"""Brings the analytics store to the newest version: ``python -m analytics_api.migrate``.

Where LOWTIDE_ANALYSTS_URL is set, the role that it names is made, or mended.

Exit codes: 0 when it is, 1 where the database cannot be reached, 2 where a setting is wrong.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from lowtide.settings import MigrateSettings
from lowtide.storage import migrating

from .analysts.role import provide

__all__ = ["main", "migrate"]

_LOCK: Final = 0x10_71_DE_02
"""Any number, the same for all who migrate this store."""


def migrate(url: str, revision: str = "head") -> None:
    """Apply what is missing, in one transaction. Raises :class:`lowtide.errors.Unavailable`."""
    migrating.upgrade_store(url, "analytics", Path(__file__).parent / "migrations", _LOCK, revision)


def main() -> int:
    def upgrade(url: str) -> None:
        migrate(url)
        analysts = MigrateSettings.from_environment().analysts_url
        if analysts:
            provide(url, analysts)

    return migrating.run(upgrade, lambda: MigrateSettings.from_environment().analytics_url, "LOWTIDE_ANALYTICS_URL")


if __name__ == "__main__":
    sys.exit(main())
