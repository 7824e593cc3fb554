"""The tokens of callback URLs: what is read is what was written, and nothing else is ours."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.errors import NotFound
from lowtide.model.base import ExecutionId, Millis
from lowtide.wire.callbacks import ACCEPTABLE, CallbackToken, callback_id, read_token, write_token
from lowtide.wire.mac import sign

KEY = b"a key of the tests"
TOKEN = CallbackToken(
    ExecutionId("0198f3a2-7c1e-7000-8000-3f1c2b4d5e6f"), callback_id("a command"), Millis(1_767_225_600_000), ACCEPTABLE
)


@given(st.uuids(), st.text(), st.integers(0, 2**48 - 1), st.sets(st.sampled_from(ACCEPTABLE)))
def test_what_is_read_is_what_was_written(execution: object, command: str, expires: int, kinds: set[str]) -> None:
    accepts = tuple(kind for kind in ACCEPTABLE if kind in kinds)
    token = CallbackToken(ExecutionId(str(execution)), callback_id(command), Millis(expires), accepts)
    assert read_token(KEY, write_token(KEY, token)) == token


@given(st.integers(0, 90), st.sampled_from("AZaz09-_=. "))
def test_whatever_is_altered_is_not_ours(place: int, character: str) -> None:
    text = write_token(KEY, TOKEN)
    altered = text[:place] + character + text[place + 1 :]
    if altered != text:
        with pytest.raises(NotFound):
            read_token(KEY, altered)


@pytest.mark.parametrize(
    "text", ["", "A", "é", "A" * 91, write_token(b"another key", TOKEN), write_token(KEY, TOKEN)[:-1]]
)
def test_what_another_installation_or_nobody_made_is_not_ours(text: str) -> None:
    with pytest.raises(NotFound):
        read_token(KEY, text)


def test_a_token_of_a_dispatch_is_none_of_a_callback() -> None:
    with pytest.raises(NotFound):
        read_token(KEY, sign(KEY, "dispatch", TOKEN.execution, 1, "digest", Millis(10**13)))


def test_a_command_that_is_performed_again_makes_a_url_of_the_same_callback() -> None:
    assert callback_id("e/do/0/create@1.1") == callback_id("e/do/0/create@1.1") != callback_id("e/do/0/create@1.2")
