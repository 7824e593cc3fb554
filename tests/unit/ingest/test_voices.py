"""Who was heard so lately that the store need not be told again."""

from __future__ import annotations

import asyncio

import pytest

from functions.ingest.owners import Voices

pytestmark = pytest.mark.anyio


def now() -> float:
    return asyncio.get_running_loop().time()


async def test_an_owner_that_was_told_on_this_stream_is_not_told_again() -> None:
    voices = Voices(15.0)
    assert voices.unknown({"a": "stream"}) == {"a": "stream"}
    voices.told({"a": "stream"}, now())
    assert voices.unknown({"a": "stream", "b": "other"}) == {"b": "other"}
    assert voices.unknown({"a": ""}) == {}, "nor when it calls outside of its stream"


async def test_an_owner_on_another_stream_is_told_again() -> None:
    voices = Voices(15.0)
    voices.told({"a": "first"}, now())
    assert voices.unknown({"a": "second"}) == {"a": "second"}


async def test_after_the_slack_an_owner_is_told_again() -> None:
    voices = Voices(15.0)
    voices.told({"a": "stream"}, now() - 1.5)
    assert voices.unknown({"a": "stream"}) == {"a": "stream"}


async def test_an_owner_whose_stream_has_ended_is_told_again() -> None:
    voices = Voices(15.0)
    voices.told({"a": "stream"}, now())
    voices.forget("a", "an older stream")
    assert voices.unknown({"a": ""}) == {}
    voices.forget("a", "stream")
    assert voices.unknown({"a": ""}) == {"a": ""}


async def test_a_call_outside_of_any_stream_is_always_told() -> None:
    """Nothing here would notice that the stream is lost on which another replica hears the owner."""
    voices = Voices(15.0)
    voices.told({"a": ""}, now())
    assert voices.unknown({"a": ""}) == {"a": ""}
