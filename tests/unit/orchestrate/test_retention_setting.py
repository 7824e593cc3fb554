"""How long executions are kept, as the environment says it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lowtide.errors import Misconfigured
from lowtide.settings import OrchestrateSettings

_REQUIRED = ("KEY", "CONTROL_URL", "BROKER_URL", "EXECUTE_URL", "INGEST_TARGET")


def _retain(**given: str) -> timedelta | None:
    return OrchestrateSettings.from_environment({**{f"LOWTIDE_{name}": "x" for name in _REQUIRED}, **given}).retain


def test_executions_are_kept_for_ever_unless_a_duration_says_how_long() -> None:
    assert _retain() is None
    assert _retain(LOWTIDE_RETAIN="") is None
    assert _retain(LOWTIDE_RETAIN="P30D") == timedelta(days=30)


@pytest.mark.parametrize("wrong", ["30 days", "0", "P0D"])
def test_what_is_no_duration_is_refused_by_name(wrong: str) -> None:
    with pytest.raises(Misconfigured, match="LOWTIDE_RETAIN="):
        _retain(LOWTIDE_RETAIN=wrong)
