"""Fetching what documents refer to, for whoever sits at this machine: its files are theirs."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

from lowtide.model.base import JSON

if TYPE_CHECKING:
    from lowtide.effects.outside import Fetcher
    from lowtide.expressions import JqHost

__all__ = ["fetching"]


@contextlib.asynccontextmanager
async def fetching(
    host: JqHost, file: str, *, catalog: str, secrets: dict[str, JSON], loopback: bool = True
) -> AsyncIterator[Fetcher]:
    """For the document ``file`` (``-`` is stdin), beside which relative files stand."""
    from lowtide.effects.outside import Fetcher
    from lowtide.runtime.clock import SystemClock

    fetcher = Fetcher(
        host,
        clock=SystemClock(),
        catalog=catalog,
        secrets=secrets,
        loopback=loopback,
        files=True,
        base=None if file == "-" else Path(file).parent,
    )
    try:
        yield fetcher
    finally:
        await fetcher.close()
