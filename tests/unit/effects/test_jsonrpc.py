"""Answers of JSON-RPC."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.effects import jsonrpc
from lowtide.errors import TaskFailed


def test_a_request_without_parameters_has_none() -> None:
    assert jsonrpc.call(1, "ping") == {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    assert jsonrpc.call("a", "get", {"b": 1})["params"] == {"b": 1}


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        ({"jsonrpc": "2.0", "id": 1, "result": {"a": 1}}, {"a": 1}),
        ({"jsonrpc": "2.0", "id": 1, "result": None}, None),
        ({"jsonrpc": "2.0", "id": 1}, None),
    ],
)
def test_an_answer_without_an_error_is_its_result(answer: dict[str, Any], result: Any) -> None:
    assert jsonrpc.result(answer, "get") == result


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            {"code": -32602, "message": "no such tool", "data": {"name": "x"}},
            'no such tool (code -32602): {"name":"x"}',
        ),
        ({"code": 7}, "no message (code 7)"),
        ("broken", "without a result"),
    ],
)
def test_an_error_is_told_with_its_code_words_and_data(error: Any, says: str) -> None:
    with pytest.raises(TaskFailed) as raised:
        jsonrpc.result({"jsonrpc": "2.0", "id": 1, "error": error}, "get")
    assert raised.value.error.type.endswith("/runtime")
    assert says in str(raised.value.error.detail)
