"""Tokens of models are read from what answers say of them, and from nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.model.base import Millis
from lowtide.model.command import Perform
from lowtide.model.fact import Fact
from lowtide.runtime.metering import Meter
from lowtide.runtime.tokens import tokens_of

_CHAT = {"usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (_CHAT, (12, 3)),
        ({"statusCode": 200, "content": _CHAT}, (12, 3)),
        ({"usage": {"input_tokens": 7, "output_tokens": 2}}, (7, 2)),
        ({"usage": {"prompt_tokens": 7}}, (7, 0)),
        ({"usage": {"prompt_tokens": "7", "completion_tokens": True}}, (0, 0)),
        ({"usage": {"prompt_tokens": -7, "completion_tokens": 10**13}}, (0, 0)),
        ({"usage": {"disk": 80}}, (0, 0)),
        ({"usage": [1]}, (0, 0)),
        ({"content": "text"}, (0, 0)),
        ([_CHAT], (0, 0)),
        (None, (0, 0)),
    ],
)
def test_what_an_answer_says_is_counted(answer: Any, expected: tuple[int, int]) -> None:
    assert tokens_of(answer) == expected


def test_a_task_and_its_invocation_take_what_the_effects_of_both_say() -> None:
    meter = Meter()
    command = Perform(id="/do/0/ask@1.1", call="http", arguments={}, reference="/do/0/ask")
    meter.ended(command, 1.0, 2, _CHAT)
    meter.ended(command, 1.0, 2, {"content": {"usage": {"input_tokens": 1, "output_tokens": 1}}})
    meter.ended(command, 1.0, 2)
    fact = Fact(
        number=1, task=command.id, name="ask", reference="/do/0/ask", kind="call", status="completed", at=Millis(1)
    )
    (measured,) = meter.measured((fact,))
    assert measured.spent is not None
    assert (measured.spent.input_tokens, measured.spent.output_tokens) == (13, 4)
    assert (meter.input_tokens, meter.output_tokens) == (13, 4)
