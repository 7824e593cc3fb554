"""Facts become one row per entry of a task."""

import itertools
from typing import Any

from lowtide.model.base import JSON, Millis, iso
from lowtide.model.error import Error, standard_error
from lowtide.model.fact import Fact, TaskStatus
from lowtide.model.timeline import Wait, fold
from lowtide.model.usage import Spent

_CALL = "/do/0/call@1"


def _fact(
    number: int, status: TaskStatus, task: str = _CALL, attempt: int = 1, error: Error | None = None,
    wait: dict[str, JSON] | None = None, spent: Spent | None = None,
) -> Fact:  # fmt: skip
    reference = task.partition("@")[0]
    name = reference.rpartition("/")[2]
    at = Millis(1_000 * number)
    return Fact(
        number=number, task=task, name=name, reference=reference, kind="call", status=status, at=at, attempt=attempt,
        error=error, wait=wait, spent=spent,
    )  # fmt: skip


def test_rows_stand_in_the_order_in_which_tasks_began_and_take_their_last_status() -> None:
    facts = [
        _fact(1, "running"),
        _fact(2, "running", "/do/1/pause@2"),
        _fact(3, "completed"),
        _fact(4, "waiting", "/do/1/pause@2"),
    ]
    rows = fold(facts)
    assert [(row.name, row.status, row.started, row.ended) for row in rows] == [
        ("call", "completed", 1_000, 3_000),
        ("pause", "waiting", 2_000, None),
    ]


def test_a_retried_task_is_one_row_that_counts_its_attempts_and_keeps_its_last_error() -> None:
    error = standard_error("communication", "503", status=503)
    facts = [_fact(1, "running"), _fact(2, "retried", attempt=2, error=error), _fact(3, "completed", attempt=2)]
    [row] = fold(facts)
    assert (row.status, row.attempt, row.error) == ("completed", 2, error)


def test_two_entries_of_one_task_are_two_rows() -> None:
    assert len(fold([_fact(1, "completed", "/do/0/a@1"), _fact(2, "running", "/do/0/a@2")])) == 2


def test_neither_the_order_of_arrival_nor_repetition_changes_the_rows() -> None:
    facts = [_fact(1, "running"), _fact(2, "waiting"), _fact(3, "completed"), _fact(4, "running", "/do/1/next@2")]
    expected = fold(facts)
    for shuffled in itertools.permutations(facts):
        assert fold([*shuffled, shuffled[0]]) == expected


def test_times_are_written_in_utc_with_milliseconds() -> None:
    assert iso(Millis(0)) == "1970-01-01T00:00:00.000Z"
    assert iso(Millis(1_764_000_000_007)).endswith(".007Z")


def test_what_has_ended_is_not_cancelled_by_a_later_fact() -> None:
    [row] = fold([_fact(1, "running"), _fact(2, "completed"), _fact(50_000_002, "cancelled")])
    assert (row.status, row.ended) == ("completed", 2_000)


def test_each_wait_lasts_until_the_change_that_came_next() -> None:
    first, second = {"kind": "timer"}, {"kind": "events"}
    [row] = fold([_fact(1, "running"), _fact(2, "waiting", wait=first), _fact(5, "completed")])
    assert row.waits == (Wait(since=Millis(2_000), over=Millis(5_000), what=first),)
    [row] = fold([_fact(1, "running"), _fact(2, "waiting", wait=first), _fact(5, "waiting", wait=second)])
    assert [(wait.over, wait.what) for wait in row.waits] == [(5_000, first), (None, second)]


def test_attempts_of_a_retried_task_tell_their_errors_and_the_delay_between() -> None:
    errors = [standard_error("communication", "503"), standard_error("timeout", "late"), standard_error("runtime", "x")]
    waits: list[Any] = [{"until": iso(Millis(4_500))}, {"until": "not a moment"}]
    facts = [
        _fact(1, "running"),
        _fact(2, "retried", error=errors[0], wait=waits[0]),
        _fact(7, "retried", error=errors[1], wait=waits[1]),
    ]
    [row] = fold(facts)
    assert [(one.number, one.started, one.ended, one.error, one.again) for one in row.attempts] == [
        (1, 1_000, 2_000, errors[0], 4_500),
        (2, 4_500, 7_000, errors[1], None),
    ]
    [row] = fold([*facts, _fact(9, "faulted", error=errors[2])])
    last = row.attempts[-1]
    assert (last.number, last.started, last.ended, last.error) == (3, 7_000, 9_000, errors[2])
    [row] = fold([*facts, _fact(9, "completed")])
    assert (row.attempts[-1].error, row.error) == (None, errors[1])


def test_what_effects_took_is_added_up() -> None:
    spent = [Spent(effect="http", active_ms=2.0, bytes_in=3), Spent(duration_ms=9.0, active_ms=1.0, bytes_out=4)]
    [row] = fold([_fact(1, "retried", spent=spent[0]), _fact(2, "completed", spent=spent[1])])
    assert row.spent == Spent(duration_ms=9.0, effect="http", active_ms=3.0, bytes_in=3, bytes_out=4)
