"""Processes that serve run on the fastest event loop that is installed."""

from __future__ import annotations

import asyncio
import sys

import pytest

from lowtide.runtime import loops


async def _loop() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_processes_run_on_uvloop_where_it_is_installed() -> None:
    pytest.importorskip("uvloop")
    assert loops.run(_loop()) == "uvloop"


def test_without_uvloop_they_run_on_the_loop_of_the_standard_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert loops.run(_loop()).startswith("asyncio")
