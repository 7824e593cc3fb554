"""The one rule, as a pure function: examples, and properties over random inboxes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from functions.orchestrate.rule import MOST_WAKES, Cancel, Go, Stay, command_of, decide, is_satisfied
from lowtide.model.base import Millis
from lowtide.model.command import Await, AwaitFilter, RunChild, Sleep
from lowtide.model.event import CancelAsked, ChildEnded, Event, EventsReceived, Received, TimerFired
from lowtide.wire.types import Wake

AT = Millis(1)
NAP = Sleep(id="nap", until=AT)
CHILD = RunChild(id="child", namespace="n", workflow="w", reference="/do/0/c")
ANY = Await(id="any", need="any", filters=(AwaitFilter(0), AwaitFilter(1)), since=AT)
ALL = Await(id="all", need="all", filters=(AwaitFilter(0), AwaitFilter(2), AwaitFilter(-1)), since=AT)


def wake(event: Event, key: str = "") -> Wake:
    return Wake(key=key or f"{command_of(event)}-{id(event)}", event=event)


def received(command: str, *filters: int) -> Wake:
    return wake(EventsReceived(at=AT, command=command, events=tuple(Received({}, index) for index in filters)))


def fired(command: str = "nap") -> Wake:
    return wake(TimerFired(at=AT, command=command))


def ended(command: str = "child") -> Wake:
    return wake(ChildEnded(at=AT, command=command, execution="e"))


def test_an_empty_inbox_changes_nothing() -> None:
    assert decide((NAP, CHILD, ANY, ALL), ()) == Stay()


def test_a_timer_a_child_or_any_match_wakes() -> None:
    for one in (fired(), ended(), received("any", 1)):
        assert decide((NAP, CHILD, ANY), (one,)) == Go((one,))


def test_all_wakes_only_when_every_open_filter_matched() -> None:
    first, second = received("all", 0), received("all", 2)
    assert decide((ALL,), (first,)) == Stay()
    assert decide((ALL,), (first, second)) == Go((first, second))


def test_a_match_of_until_wakes_also_where_all_are_needed() -> None:
    assert isinstance(decide((ALL,), (received("all", -1),)), Go)


def test_partial_matches_travel_with_the_wake_of_another_command() -> None:
    half, timer = received("all", 0), fired()
    assert decide((ALL, NAP), (half, timer)) == Go((half, timer))


def test_a_cancel_ends_without_an_invocation_whatever_else_there_is() -> None:
    asked = wake(CancelAsked(at=AT, reason="no"))
    assert decide((NAP,), (fired(), asked), resume_now=True) == Cancel("no")


def test_what_nobody_waits_for_any_more_wakes_nobody() -> None:
    assert decide((NAP,), (fired("gone"), ended("gone"))) == Stay()


def test_work_that_was_interrupted_resumes_with_an_empty_inbox() -> None:
    assert decide((), (), resume_now=True) == Go(())


_commands = st.lists(st.sampled_from([NAP, CHILD, ANY, ALL]), unique_by=lambda command: command.id).map(tuple)
_wakes = st.lists(
    st.sampled_from(["nap", "gone"]).map(fired)
    | st.sampled_from(["child", "gone"]).map(ended)
    | st.tuples(st.sampled_from(["any", "all", "gone"]), st.lists(st.integers(-1, 2), min_size=1, max_size=2)).map(
        lambda given: received(given[0], *given[1])
    ),
    max_size=8,
).map(tuple)


@given(_commands, _wakes)
def test_it_goes_exactly_when_some_command_is_satisfied(
    commands: tuple[Sleep | RunChild | Await, ...], wakes: tuple[Wake, ...]
) -> None:
    decision = decide(commands, wakes)
    satisfied = any(
        is_satisfied(command, [one.event for one in wakes if command_of(one.event) == command.id])
        for command in commands
    )
    assert isinstance(decision, Go) == satisfied
    if isinstance(decision, Go):
        pending = {command.id for command in commands}
        assert list(decision.wakes) == [one for one in wakes if command_of(one.event) in pending], "in their order"


@given(_commands, _wakes, _wakes)
def test_more_wakes_never_put_an_execution_back_to_sleep(
    commands: tuple[Sleep | RunChild | Await, ...], wakes: tuple[Wake, ...], more: tuple[Wake, ...]
) -> None:
    if isinstance(decide(commands, wakes), Go):
        assert isinstance(decide(commands, wakes + more), Go)


def test_a_dispatch_carries_a_bounded_number_of_wakes() -> None:
    many = tuple(received("any", 0) for _ in range(MOST_WAKES + 5))
    decision = decide((ANY,), many)
    assert isinstance(decision, Go)
    assert len(decision.wakes) == MOST_WAKES
