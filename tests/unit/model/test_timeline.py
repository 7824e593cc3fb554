"""Facts become one row per entry of a task."""

import itertools

from lowtide.model.base import Millis, iso
from lowtide.model.error import Error, standard_error
from lowtide.model.fact import Fact, TaskStatus
from lowtide.model.timeline import fold

_CALL = "/do/0/call@1"


def _fact(number: int, status: TaskStatus, task: str = _CALL, attempt: int = 1, error: Error | None = None) -> Fact:
    reference = task.partition("@")[0]
    name = reference.rpartition("/")[2]
    at = Millis(1_000 * number)
    return Fact(
        number=number, task=task, name=name, reference=reference, kind="call", status=status, at=at, attempt=attempt,
        error=error,
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
