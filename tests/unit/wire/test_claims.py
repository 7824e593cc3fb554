"""References: read as they are written, and never taken for anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowtide.wire import json
from lowtide.wire.claims import payload_of, reference, referred


@given(st.binary(max_size=100))
def test_a_reference_names_the_content_it_was_made_of(content: bytes) -> None:
    assert referred(reference(payload_of(content))) == payload_of(content)


@given(st.none() | st.integers() | st.text() | st.lists(st.text(), max_size=3))
def test_json_is_never_a_reference(value: object) -> None:
    assert referred(json.encode(value)) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"@",
        b"@sha256:abc:1",
        b'"' + reference(payload_of(b"x")) + b'"',
        reference(payload_of(b"x")).upper(),
        reference(payload_of(b"x")) + b"\n",
        reference(payload_of(b"x")).replace(b":1", b":-1"),
        reference(payload_of(b"x")) + b"0" * 20,
    ],
)
def test_what_is_nearly_a_reference_is_none(body: bytes) -> None:
    assert referred(body) is None
