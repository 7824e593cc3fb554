"""CloudEvents over HTTP: what is accepted, what is refused, and that another library agrees."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cloudevents.conversion import to_binary as their_binary
from cloudevents.conversion import to_structured as their_structured
from cloudevents.http import CloudEvent as TheirEvent
from cloudevents.http import from_http as their_read
from hypothesis import given
from hypothesis import strategies as st

from lowtide.errors import InvalidEvent
from lowtide.wire.cloudevents import (
    BATCH,
    STRUCTURED,
    CloudEvent,
    from_json,
    read,
    read_all,
    to_batch,
    to_binary,
    to_structured,
)

MINIMAL = {"specversion": "1.0", "id": "1", "source": "/shop", "type": "shop.paid"}


def binary(body: bytes = b"", content_type: str = "application/json", **changes: str | None) -> CloudEvent:
    headers = {f"ce-{name}": value for name, value in {**MINIMAL, **changes}.items() if value is not None}
    return read({**headers, **({"Content-Type": content_type} if content_type else {})}, body)


def structured(content_type: str = STRUCTURED, **changes: Any) -> CloudEvent:
    return read({"content-type": content_type}, json.dumps({**MINIMAL, **changes}).encode())


# ---------------------------------------------------------------- what is accepted


def test_a_binary_event_keeps_its_body_byte_for_byte() -> None:
    event = binary(b'{"b": 1,  "a": 2.0}')
    assert event.data == b'{"b": 1,  "a": 2.0}'
    assert event.as_json() == {**MINIMAL, "datacontenttype": "application/json", "data": {"b": 1, "a": 2.0}}


def test_a_structured_event_keeps_its_data_byte_for_byte() -> None:
    body = b'{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"b": 1,  "a": 2.0}}'
    assert read({"Content-Type": f"{STRUCTURED}; charset=utf-8"}, body).data == b'{"b": 1,  "a": 2.0}'


def test_headers_may_come_in_any_case_and_as_bytes() -> None:
    pairs = [(b"Ce-SpecVersion", b"1.0"), (b"CE-ID", b"1"), (b"ce-source", b"/s"), (b"ce-type", b"t")]
    assert read(pairs, b"").id == "1"


def test_header_values_are_percent_decoded_once() -> None:
    assert binary(subject="Euro%20%E2%82%AC%20%2520").attributes["subject"] == "Euro € %20"


def test_quoted_header_values_of_older_senders_are_unquoted() -> None:
    assert binary(subject='"a \\"b\\" c"').attributes["subject"] == 'a "b" c'


def test_a_batch_is_read_in_order() -> None:
    body = json.dumps([{**MINIMAL, "id": "1"}, {**MINIMAL, "id": "2", "data": None}]).encode()
    assert [event.id for event in read_all({"content-type": BATCH}, body)] == ["1", "2"]


def test_an_empty_batch_has_no_events() -> None:
    assert read_all({"content-type": BATCH}, b"[]") == ()


def test_data_that_is_neither_json_nor_text_becomes_base64_in_json_form() -> None:
    assert binary(b"\x00\x01", "image/png").as_json()["data_base64"] == "AAE="
    assert structured(datacontenttype="image/png", data_base64="AAE=").data == b"\x00\x01"


def test_text_data_stays_text_in_json_form() -> None:
    assert binary("grüß".encode(), "text/plain; charset=utf-8").as_json()["data"] == "grüß"


def test_an_attribute_that_is_null_is_absent() -> None:
    assert "subject" not in structured(subject=None).attributes


def test_numbers_and_booleans_in_extensions_are_read_as_text_where_asked() -> None:
    event = structured(epoch=7, fresh=True)
    assert (event.text("epoch"), event.text("fresh"), event.text("other")) == ("7", "true", None)


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-23T12:00:00Z",
        "2026-11-23t12:00:00.123456789z",
        "2026-06-30T23:59:60+01:30",
        "2024-02-29T00:00:00-00:00",
    ],
)
def test_every_rfc_3339_timestamp_is_accepted(time: str) -> None:
    assert binary(time=time).attributes["time"] == time


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
def test_a_required_attribute_that_is_missing_or_empty_is_refused_and_named(name: str) -> None:
    for value in (None, ""):
        with pytest.raises(InvalidEvent, match=name):
            binary(**{name: value})  # type: ignore[arg-type]
        with pytest.raises(InvalidEvent, match=name):
            structured(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"specversion": "0.3"}, "specversion: '0.3'"),
        ({"time": "yesterday"}, "time: 'yesterday' is not an RFC 3339"),
        ({"time": "2026-02-30T00:00:00Z"}, "RFC 3339"),
        ({"time": "2026-11-23T12:00:00"}, "RFC 3339"),
        ({"time": "2026-11-23 12:00:00Z"}, "RFC 3339"),
        ({"time": "٢026-11-23T12:00:00Z"}, "time|ASCII"),
        ({"dataschema": "relative/path"}, "dataschema"),
        ({"source": "a b"}, "source"),
        ({"my-extension": "1"}, "my-extension: not a legal attribute name"),
        ({"my_extension": "1"}, "my_extension: not a legal attribute name"),
    ],
)
def test_an_illegal_attribute_is_refused_in_both_modes(changes: dict[str, str], message: str) -> None:
    for make in (
        structured,
        lambda **given: binary(**{name: value.replace(" ", "%20") for name, value in given.items()}),
    ):
        with pytest.raises(InvalidEvent, match=message):
            make(**changes)


@pytest.mark.parametrize("subject", ["100%", "%zz", "%ff%fe", "grüß"])
def test_a_header_that_is_not_well_encoded_is_refused(subject: str) -> None:
    with pytest.raises(InvalidEvent, match="ce-subject"):
        binary(subject=subject)


def test_a_header_given_twice_is_refused() -> None:
    pairs = [(f"ce-{name}", value) for name, value in MINIMAL.items()]
    with pytest.raises(InvalidEvent, match="ce-id: given twice"):
        read([*pairs, ("Ce-Id", "2")], b"")


@pytest.mark.parametrize("body", [b"{", b"nonsense", b'{"a":1} x', b"\xff"])
def test_a_body_declared_json_that_is_not_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidEvent, match="is not"):
        binary(body)
    with pytest.raises(InvalidEvent, match="not a JSON object"):
        read({"content-type": STRUCTURED}, body)
    with pytest.raises(InvalidEvent, match="not a JSON array"):
        read_all({"content-type": BATCH}, body)


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "no ce-specversion header, and Content-Type is missing"),
        ({"content-type": "application/json"}, "Content-Type is application/json"),
        ({"content-type": "application/cloudevents+xml"}, "not understood"),
        ({"content-type": f"{STRUCTURED}; charset=latin-1"}, "charset latin-1"),
        ({"content-type": BATCH}, "this is a batch"),
    ],
)
def test_what_is_no_event_is_refused(headers: dict[str, str], message: str) -> None:
    with pytest.raises(InvalidEvent, match=message):
        read(headers, b"{}")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nested": {"a": 1}}, "nested"),
        ({"ratio": 0.5}, "ratio"),
        ({"big": 2**31}, "big"),
        ({"id": 7}, "id: must be text"),
        ({"data": 1, "data_base64": "AA=="}, "data is given too"),
        ({"data_base64": "?"}, "not base64"),
        ({"datacontenttype": "image/png", "data": {"a": 1}}, "data must be text"),
        ({"datacontenttype": "json"}, "not a media type"),
    ],
)
def test_an_illegal_structured_member_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidEvent, match=message):
        structured(**changes)


def test_a_wrong_event_in_a_batch_is_named_by_its_place() -> None:
    body = json.dumps([MINIMAL, {**MINIMAL, "id": None}]).encode()
    with pytest.raises(InvalidEvent, match=r"event \[1\] member id: missing"):
        read_all({"content-type": BATCH}, body)


# ---------------------------------------------------------------- round trips

_text = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
_uri = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)
_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | _text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_text, inner, max_size=3),
    max_leaves=8,
)
_attributes = st.fixed_dictionaries(
    {"specversion": st.just("1.0"), "id": _text, "source": _uri, "type": _text},
    optional={"subject": _text, "time": st.just("2026-11-23T12:00:00Z"), "myext1": _text},
)


@given(_attributes, _json)
def test_every_event_survives_both_modes_and_a_batch(attributes: dict[str, Any], data: Any) -> None:
    event = from_json({**attributes, "datacontenttype": "application/json", "data": data})
    assert read(*to_binary(event)) == event
    assert read(*to_structured(event)) == event
    assert read_all(*to_batch([event, event])) == (event, event)
    assert from_json(event.as_json()).as_json() == event.as_json()


_plain_text = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='%"'), min_size=1)


@given(_plain_text, _json.filter(lambda value: value is not None and value != ""))
def test_the_cloudevents_library_reads_what_we_write(value: str, data: Any) -> None:
    event = from_json({**MINIMAL, "id": value, "datacontenttype": "application/json", "myext": value, "data": data})
    for headers, body in (to_binary(event), to_structured(event)):
        theirs = their_read(headers, body)
        assert {name: theirs[name] for name in event.attributes} == event.attributes
        assert theirs.data == data


@given(_plain_text, _json.filter(lambda value: value is not None and value != ""))
def test_we_read_what_the_cloudevents_library_writes(value: str, data: Any) -> None:
    attributes = {**MINIMAL, "id": value, "datacontenttype": "application/json", "myext": value}
    theirs = TheirEvent(attributes, data)
    for headers, body in (their_binary(theirs), their_structured(theirs)):
        ours = read(headers, body)
        form = ours.as_json()
        assert form.pop("data") == data
        assert {name: form[name] for name in attributes} == attributes
