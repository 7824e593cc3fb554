"""Alerts, looked at in any order and at any moment: no flapping, one beginning for each end, nothing twice."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given, settings
from hypothesis import strategies as st

from analytics_api.alerts.conditions import Burn, Pair, absent, burning, past
from analytics_api.alerts.core import LATE, Change, Memory, Terms, Verdict, look
from lowtide.model.base import Millis

_VALUES = st.floats(min_value=-1e6, max_value=1e6)
_STEPS = st.integers(0, 3_600_000) | st.integers(-2 * LATE, 0)
_TERMS = st.builds(
    Terms,
    lasting=st.sampled_from([0, 60_000, 600_000]),
    calm=st.sampled_from([0, 120_000]),
    every=st.sampled_from([1_000, 60_000, 900_000]),
    keep=st.booleans(),
)
_VERDICTS = st.one_of(
    st.just(Verdict(True, False, 9.0)),
    st.just(Verdict(False, False, 5.0)),
    st.just(Verdict(False, True, 1.0)),
    st.just(Verdict(False, False, None, empty=True)),
)
_few = settings(max_examples=40)
_Looks = list[tuple[int, Verdict, bool]]
_LOOKS = st.lists(st.tuples(_STEPS, _VERDICTS, st.booleans()), max_size=20)


def _seen(
    looks: _Looks, terms: Terms
) -> Iterable[tuple[Memory, Memory, Millis, Millis | None, Verdict, tuple[Change, ...]]]:
    """Before, after, the moment, that of the look before, the verdict, the changes: of each look."""
    memory, at, looked = Memory(), Millis(1_000_000_000), None
    for step, verdict, silent in looks:
        at = Millis(at + step)
        after, changes = look(memory, verdict, at, looked, terms, silent=silent)
        yield memory, after, at, looked, verdict, changes
        memory, looked = after, at


@_few
@given(_LOOKS, _TERMS)
def test_between_two_ends_it_fires_at_most_once_and_is_told_of_at_most_once(looks: _Looks, terms: Terms) -> None:
    story = [change for *_, changes in _seen(looks, terms) for change in changes]
    for change in ("fired", "told"):
        since = 0
        for one in story:
            since = 0 if one == "resolved" else since + (one == change)
            assert since <= 1, story
    assert story.count("resolved") <= story.count("fired") <= story.count("begun")


@_few
@given(_LOOKS, _TERMS)
def test_every_story_is_one_that_the_drawing_allows(looks: _Looks, terms: Terms) -> None:
    allowed = {"ok": {"begun"}, "pending": {"fired", "passed"}, "firing": {"told", "resolved"}}
    leads = {"begun": "pending", "passed": "ok", "fired": "firing", "told": "firing", "resolved": "ok"}
    phase = "ok"
    for before, after, *_, changes in _seen(looks, terms):
        assert before.phase == phase
        for change in changes:
            assert change in allowed[phase], (phase, change)
            phase = leads[change]
        assert after.phase == phase
        assert (after.since is None) == (phase == "ok")


@_few
@given(_LOOKS, _TERMS, _VERDICTS)
def test_looking_twice_at_the_same_moment_or_late_changes_nothing(looks: _Looks, terms: Terms, again: Verdict) -> None:
    for _, after, at, *_ in _seen(looks, terms):
        assert look(after, again, at, at, terms) == (after, ())
        assert look(after, again, Millis(at - LATE), at, terms) == (after, ())


@_few
@given(st.lists(st.tuples(_STEPS, st.floats(3.0, 5.0)), max_size=20), _TERMS, st.booleans())
def test_a_value_within_the_band_begins_nothing_and_ends_nothing(
    values: list[tuple[int, float]], terms: Terms, firing: bool
) -> None:
    at = Millis(10_000_000)
    memory = Memory(phase="firing", since=at, told=True, alert="a") if firing else Memory()
    looked = at
    for step, value in values:
        at = Millis(at + step)
        verdict = past(value, above=5.0, below=None, resolve=2.9)
        memory, changes = look(memory, verdict, at, looked, terms)
        assert changes == ()
        looked = at
    assert memory.phase == ("firing" if firing else "ok")


@_few
@given(st.integers(1, 600_000), st.integers(1, 60_000))
def test_it_fires_once_it_was_bad_for_so_long_and_not_before(lasting: int, every: int) -> None:
    terms = Terms(lasting=lasting, every=every)
    memory, at, looked = Memory(), Millis(0), None
    for _ in range(5):
        memory, changes = look(memory, Verdict(True, False, 1.0), at, looked, terms)
        assert ("fired" in changes) is (at >= lasting > (looked if looked is not None else -1))
        looked, at = at, Millis(at + every)


def test_a_span_in_which_nobody_looked_does_not_count_as_bad() -> None:
    terms, bad = Terms(lasting=600_000, every=60_000), Verdict(True, False, 1.0)
    memory, _ = look(Memory(), bad, Millis(0), None, terms)
    memory, changes = look(memory, bad, Millis(3_600_000), Millis(0), terms)
    assert (memory.phase, memory.since, changes) == ("pending", 3_600_000, ())


def test_a_clock_that_was_ahead_keeps_no_alert_from_firing_or_ending() -> None:
    terms, tomorrow = Terms(lasting=60_000, calm=60_000), Millis(86_400_000)
    memory, _ = look(Memory(), Verdict(True, False, 1.0), tomorrow, None, terms)
    memory, changes = look(memory, Verdict(True, False, 1.0), Millis(0), tomorrow, terms)
    assert (memory.phase, changes) == ("pending", ())
    memory, changes = look(memory, Verdict(True, False, 1.0), Millis(60_000), Millis(0), terms)
    assert changes == ("fired", "told")
    memory, _ = look(memory, Verdict(False, True, 0.0), tomorrow, Millis(60_000), terms)
    memory, _ = look(memory, Verdict(False, True, 0.0), Millis(120_000), tomorrow, terms)
    _, changes = look(memory, Verdict(False, True, 0.0), Millis(180_000), Millis(120_000), terms)
    assert changes == ("resolved",)


def test_what_fires_in_silence_is_told_of_when_the_silence_is_over() -> None:
    bad = Verdict(True, False, 1.0)
    memory, changes = look(Memory(), bad, Millis(0), None, Terms(), silent=True)
    assert changes == ("begun", "fired")
    memory, changes = look(memory, bad, Millis(60_000), Millis(0), Terms())
    assert changes == ("told",)
    assert look(memory, bad, Millis(120_000), Millis(60_000), Terms())[1] == ()


@_few
@given(_VALUES, _VALUES, st.floats(0, 1e6))
def test_no_value_is_bad_and_good_at_once(value: float, limit: float, band: float) -> None:
    for verdict in (past(value, limit, None, limit - band), past(value, None, limit, limit + band)):
        assert not (verdict.breached and verdict.cleared)
    assert past(value, limit, None, None).breached is (value > limit)
    assert past(value, None, limit, None).breached is (value < limit)


_COUNTS = st.integers(0, 10_000)
_BURNS = st.builds(Burn, _COUNTS, _COUNTS)


@_few
@given(_BURNS, _BURNS, st.floats(0.5, 0.9999), st.floats(1, 20), st.floats(0.5, 1))
def test_a_budget_burns_too_fast_only_where_both_windows_say_so(
    long: Burn, short: Burn, objective: float, factor: float, share: float
) -> None:
    verdict = burning([(Pair(3_600_000, 300_000, factor), long, short)], objective, share=share)
    both = min(long.rate(objective), short.rate(objective))
    assert not (verdict.breached and verdict.cleared)
    if long.good + long.bad:
        assert verdict.breached is (both / factor > 1)


def test_the_workbooks_example_fires_at_its_numbers() -> None:
    """Of 99.9 % an error ratio of 1.44 % burns 14.4 times too fast."""
    page = Pair(3_600_000, 300_000, 14.4)
    assert burning([(page, Burn(985, 15), Burn(985, 15))], 0.999).breached
    assert not burning([(page, Burn(987, 13), Burn(987, 13))], 0.999).breached
    assert not burning([(page, Burn(985, 15), Burn(1000, 0))], 0.999).breached, "it is over"
    assert not burning([(page, Burn(1, 1), Burn(1, 1))], 0.999, least=20).breached, "too few to judge"


def test_absence_is_that_nothing_happened() -> None:
    assert absent(0, 60_000).breached
    assert absent(1, 60_000).cleared
