"""What a mask hides, and what it leaves alone."""

from __future__ import annotations

import base64
import html
import json
import re
from typing import Any
from urllib.parse import quote, quote_plus

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.model.base import Millis
from lowtide.model.error import standard_error
from lowtide.model.event import CancelAsked, ChildEnded, EffectFailed, EffectSucceeded, Event, EventsReceived, Received
from lowtide.model.fact import Fact
from lowtide.wire.masking import NOTHING_SECRET, Mask, mask_of
from lowtide.wire.records import Entry, JournalRecord

SECRET = 'pä"ss/w+rd & <more>'

secrets = st.text(min_size=4, max_size=30)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def leaks(value: Any, secret: str) -> bool:
    """Whether any text of the value, keys too, contains the secret."""
    match value:
        case str():
            return secret in value
        case list():
            return any(leaks(item, secret) for item in value)
        case dict():
            return any(leaks(part, secret) for pair in value.items() for part in pair)
        case _:
            return False


def hidden_in(secret: str) -> st.SearchStrategy[Any]:
    """JSON with the secret in some of its texts."""
    text = st.tuples(st.text(), st.just(secret), st.text()).map("".join)
    return st.recursive(
        st.none() | st.integers() | st.text() | text,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text() | text, inner, max_size=4),
        max_leaves=12,
    )


@given(st.data(), secrets, secrets)
def test_no_text_contains_a_secret_afterwards(data: st.DataObject, one: str, other: str) -> None:
    mask = Mask([one, {"deep": [other]}])
    value = data.draw(hidden_in(one) | hidden_in(other) | hidden_in(one[:2] + other + one[2:]))
    masked = mask.json(value)
    assert not leaks(masked, one)
    assert not leaks(masked, other)
    assert mask.json(masked) == masked


@given(secrets, plain)
def test_what_holds_no_secret_is_returned_as_it_is(secret: str, value: Any) -> None:
    mask = Mask([f"never-{''.join(secret.splitlines())}-said"])  # a line of a longer secret is one as well
    assert mask.json(value) is value
    assert NOTHING_SECRET.json(value) is value


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET)[1:-1],
        json.dumps(SECRET, ensure_ascii=False)[1:-1],
        json.dumps(json.dumps(SECRET))[3:-3],
        quote(SECRET, safe=""),
        quote(SECRET),
        quote_plus(SECRET),
        re.sub("%..", lambda code: code[0].lower(), quote(SECRET, safe="")),
        html.escape(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
    ],
)
def test_the_forms_in_which_it_travels_are_masked_too(form: str) -> None:
    assert Mask([SECRET]).text(f"before {form} after") == f"before ***{'=' * form.endswith('=')} after"


@pytest.mark.parametrize("user", ["", "a", "ad", "ada", "adam"])
def test_basic_credentials_do_not_give_the_password_away(user: str) -> None:
    sent = base64.b64encode(f"{user}:correct horse battery".encode()).decode()
    masked = Mask(["correct horse battery"]).text(f"Basic {sent}")
    assert "***" in masked
    readable = masked.removeprefix("Basic ").partition("***")[0]
    shown = base64.b64decode(readable[: len(readable) // 4 * 4]).decode()
    assert shown in f"{user}:co"


def test_a_text_that_was_cut_short_shows_no_beginning_of_a_secret() -> None:
    mask = Mask(["s3cret-t0ken-of-mine", "another-one"])
    assert mask.text('string ("s3cret-t0k...) cannot be parsed') == 'string ("***...) cannot be parsed'
    assert mask.text("it said: anoth… (312 characters)") == "it said: ***… (312 characters)"
    assert mask.text("an... s3... so it goes...") == "an... s3... so it goes..."


def test_a_key_of_several_lines_is_masked_line_by_line() -> None:
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nab\n-----END KEY-----\n"
    assert Mask([key]).text("line 2: MIIEvQIBADANBgkq, ab") == "line 2: ***, ab"
    assert Mask([key]).text(f"<{key}>") == "<***>"


def test_short_texts_are_left_alone_and_digits_are_texts() -> None:
    mask = Mask([{"user": "ada", "pin": 123456, "on": True, "rate": 12.5, "none": None}])
    assert mask.json(["ada", True, None, 123456, 123457, "pin 123456!", 12.5, 1]) == (
        ["ada", True, None, "***", 123457, "pin ***!", "***", 1]
    )


def test_keys_stay_different_from_each_other() -> None:
    assert Mask(["abcd", "efgh"]).json({"abcd": 1, "efgh": 2, "x": 3}) == {"***": 1, "****": 2, "x": 3}


def test_a_secret_that_is_not_there_hides_nothing() -> None:
    assert mask_of(["missing"], {"other": "s3cret"}) is NOTHING_SECRET
    assert mask_of([], {"other": "s3cret"}) is NOTHING_SECRET
    assert mask_of(["other"], {"other": "s3cret"}) is mask_of(["other"], {"other": "s3cret"})


def test_errors_facts_and_records_are_masked_where_they_hold_data() -> None:
    mask = Mask(["s3cret", "succeeded"])
    error = standard_error("runtime", "no s3cret here")
    fact = Fact(number=1, task="t", name="t", reference="/do/0/t", kind="raise", status="faulted", at=Millis(1))
    assert mask.facts((fact,))[0] is fact
    failed = Fact(**{name: getattr(fact, name) for name in Fact.__struct_fields__ if name != "error"}, error=error)
    assert [one.error and one.error.detail for one in mask.facts((fact, failed))] == [None, "no *** here"]
    waits = msgspec.structs.replace(fact, wait={"kind": "events", "filters": [{"correlate": {"key": "s3cret"}}]})
    assert mask.facts((waits,))[0].wait == {"kind": "events", "filters": [{"correlate": {"key": "***"}}]}
    at = Millis(1)
    received = Received(event={"type": "paid", "data": {"key": "s3cret"}}, filter=2)
    said: list[tuple[Event, str, Any]] = [
        (EffectSucceeded(at=at, command="/do/0/s3cret@1.1", output=["s3cret"]), "output", ["***"]),
        (EffectFailed(at=at, command="c", error=error), "error", standard_error("runtime", "no *** here")),
        (ChildEnded(at=at, command="c", execution="e", output="s3cret"), "output", "***"),
        (ChildEnded(at=at, command="c", execution="e", error=error), "error", standard_error("runtime", "no *** here")),
        (CancelAsked(at=at, reason="because of s3cret"), "reason", "because of ***"),
        (
            EventsReceived(at=at, command="c", events=(received,)),
            "events",
            (Received(event={"type": "paid", "data": {"key": "***"}}, filter=2),),
        ),
    ]
    for event, member, expected in said:
        record = JournalRecord(number=1, epoch=1, entry=Entry(turn=1, event=event))
        shown = mask.record(record).entry.event
        assert getattr(shown, member) == expected
        assert getattr(shown, "command", None) == getattr(event, "command", None)
