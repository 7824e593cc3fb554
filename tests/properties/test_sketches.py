"""Sketches: merging is adding, in Python and in PostgreSQL alike, and a quantile is near a value that is there."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowtide.model.sketch import ERROR, bin_of, merged, quantile, value_of
from lowtide.storage.analytics import MERGED_SKETCH
from tests.databases import database

_VALUES = st.floats(allow_nan=False, allow_infinity=False, width=64)
_USUAL = st.floats(min_value=-1e9, max_value=1e9) | st.integers(0, 10_000).map(float)


def _bins(values: list[float]) -> Counter[int]:
    return Counter(map(bin_of, values))


@given(_VALUES, _VALUES)
def test_bins_sort_as_values_do_and_stand_for_them(one: float, other: float) -> None:
    if one < other:
        assert bin_of(one) <= bin_of(other)
    assert value_of(bin_of(one)) == pytest.approx(one, rel=ERROR * 1.0001, abs=1e-9)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_has_no_bin(value: float) -> None:
    with pytest.raises(ValueError, match="has no bin"):
        bin_of(value)


@given(st.lists(_USUAL, max_size=50), st.lists(_USUAL, max_size=50), st.lists(_USUAL, max_size=50))
def test_sketches_of_parts_merge_to_the_sketch_of_all_in_any_order(
    a: list[float], b: list[float], c: list[float]
) -> None:
    whole = dict(_bins(a + b + c))
    assert merged(merged(_bins(a), _bins(b)), _bins(c)) == whole
    assert merged(_bins(c), merged(_bins(b), _bins(a))) == whole
    assert merged(_bins(b), _bins(a), _bins(c)) == whole


@given(st.lists(_USUAL, min_size=1, max_size=200), st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_within_the_error_of_the_value_at_its_rank(values: list[float], share: float) -> None:
    exact = sorted(values)[max(1, math.ceil(share * len(values))) - 1]
    assert quantile(_bins(values), share) == pytest.approx(exact, rel=ERROR * 1.0001, abs=1e-9)


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile({}, 0.5) is None


@pytest.fixture(scope="module")
def postgresql(postgres: str) -> Iterator[psycopg.Connection]:
    with database(postgres) as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute(MERGED_SKETCH.encode())
        yield connection


@settings(max_examples=50)
@given(one=st.lists(_USUAL, max_size=30), other=st.lists(_USUAL, max_size=30))
def test_postgresql_merges_as_we_do(postgresql: psycopg.Connection, one: list[float], other: list[float]) -> None:
    query = "SELECT merged_sketch(%s::jsonb, %s::jsonb)"
    row = postgresql.execute(query, [json.dumps(_bins(one)), json.dumps(_bins(other))]).fetchone()
    assert row is not None
    assert {int(number): count for number, count in row[0].items()} == merged(_bins(one), _bins(other))
