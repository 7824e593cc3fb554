"""What a process believes of its leases, by a clock that the test moves."""

from __future__ import annotations

from lowtide.clients.trust import Trust


class Hand:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


A, B = ("a", 1), ("b", 1)


def test_a_lease_is_believed_in_for_the_window_after_the_call_was_sent() -> None:
    clock = Hand()
    trust = Trust(4.0, clock)
    clock.now = 101.0
    trust.opened(A, sent=100.0)
    assert trust.holds(A)
    clock.now = 103.9
    assert trust.holds(A)
    clock.now = 104.0
    assert not trust.holds(A)


def test_a_sign_of_life_in_time_keeps_all_leases() -> None:
    clock = Hand()
    trust = Trust(4.0, clock)
    trust.opened(A, sent=100.0)
    trust.opened(B, sent=100.0)
    clock.now = 103.0
    trust.heard(sent=102.0)
    clock.now = 105.0
    assert trust.holds(A)
    assert trust.holds(B)


def test_after_a_gap_only_what_was_confirmed_is_believed_in() -> None:
    clock = Hand()
    trust = Trust(4.0, clock)
    trust.opened(A, sent=100.0)
    trust.opened(B, sent=100.0)
    clock.now = 110.0
    trust.heard(sent=109.0, confirmed=[A])
    assert trust.holds(A)
    assert not trust.holds(B), "it may have been taken over while nothing was heard"
    assert trust.doubtful == {B}
    trust.heard(sent=110.0, confirmed=[B])
    assert trust.holds(B)


def test_opening_after_a_gap_is_believed_in_but_what_was_open_before_is_doubtful() -> None:
    clock = Hand()
    trust = Trust(4.0, clock)
    trust.opened(A, sent=100.0)
    clock.now = 110.0
    trust.opened(B, sent=109.5)
    assert trust.holds(B)
    assert not trust.holds(A)


def test_a_late_acknowledgement_never_shortens_what_a_later_one_gave() -> None:
    clock = Hand()
    trust = Trust(4.0, clock)
    trust.opened(A, sent=100.0)
    trust.heard(sent=99.0)
    clock.now = 103.5
    assert trust.holds(A)


def test_a_lease_that_ended_is_not_held() -> None:
    trust = Trust(4.0, Hand())
    trust.opened(A, sent=100.0)
    trust.ended(A)
    assert not trust.holds(A)
    assert not trust.open
