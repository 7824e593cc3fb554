"""``lowtide migrate``: bring the stores' tables to the version of this installation."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Annotated

import typer

from lowtide.cli import exits
from lowtide.errors import InvalidInput

if TYPE_CHECKING:
    from lowtide.local.services import Name

__all__ = ["migrate"]


def migrate(
    control_url: Annotated[str, typer.Option(metavar="URL", envvar="LOWTIDE_CONTROL_URL")] = "",
    journal_url: Annotated[str, typer.Option(metavar="URL", envvar="LOWTIDE_JOURNAL_URL")] = "",
    analytics_url: Annotated[str, typer.Option(metavar="URL", envvar="LOWTIDE_ANALYTICS_URL")] = "",
) -> None:
    """Bring the stores that are named, by flag or environment, to this version. `lowtide up` does it by itself."""
    from lowtide.local.programs import command, module_of
    from lowtide.settings import whole_environment

    named: dict[Name, tuple[str, str]] = {
        "orchestrate": ("LOWTIDE_CONTROL_URL", control_url),
        "ingest": ("LOWTIDE_JOURNAL_URL", journal_url),
        "analytics": ("LOWTIDE_ANALYTICS_URL", analytics_url),
    }
    wanted = {service: (variable, url) for service, (variable, url) in named.items() if url}
    if not wanted:
        raise InvalidInput("no store is named; give --control-url, --journal-url or --analytics-url")
    for service, (variable, url) in wanted.items():
        store = variable.removeprefix("LOWTIDE_").removesuffix("_URL").lower()
        environment = {**whole_environment(), variable: url}
        ended = subprocess.run(command(f"{module_of(service)}.migrate"), env=environment, check=False)
        if ended.returncode != 0:
            exits.say(f"lowtide: the {store} store was not migrated")
            raise SystemExit(exits.FAILED)
        print(f"{store}: up to date")
