"""How long a token is kept: less than it lives."""

from __future__ import annotations

import pytest

from lowtide.effects.auth.tokens import lifetime


@pytest.mark.parametrize(
    ("told", "kept"),
    [(3600, 3570), (300, 270), (100, 90), ("60", 54), (0, 0), (-5, 0), (None, 270), ("soon", 270), (1e12, 86_370)],
)
def test_a_token_is_given_up_a_little_before_it_ends(told: object, kept: float) -> None:
    assert lifetime(told) == kept
