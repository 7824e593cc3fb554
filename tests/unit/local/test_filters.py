"""Filter dialects, as Knative reads them."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.errors import Misconfigured
from lowtide.local.filters import matches
from lowtide.wire.cloudevents import CloudEvent

EVENT = CloudEvent({"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.paid", "tries": 3, "ok": True})


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({}, True),
        ({"exact": {"type": "shop.paid"}}, True),
        ({"exact": {"type": "shop.paid", "source": "/other"}}, False),
        ({"exact": {"tries": "3", "ok": "true"}}, True),
        ({"prefix": {"type": "shop."}}, True),
        ({"suffix": {"type": ".refunded"}}, False),
        ({"exact": {"absent": ""}}, False),
        ({"not": {"exact": {"absent": "x"}}}, True),
        ({"any": [{"exact": {"type": "a"}}, {"suffix": {"source": "shop"}}]}, True),
        ({"all": [{"exact": {"type": "shop.paid"}}, {"not": {"prefix": {"source": "/shop"}}}]}, False),
    ],
)
def test_a_filter_holds_as_in_knative(given: dict[str, Any], holds: bool) -> None:
    assert matches((given,), EVENT) is holds


def test_an_unknown_dialect_is_a_mistake_of_ours() -> None:
    with pytest.raises(Misconfigured, match="cesql"):
        matches(({"cesql": "type = 'a'"},), EVENT)
