"""Extensions, by what the world and the state see of them; what authors see is in ``extensions.feature``."""

from __future__ import annotations

import msgspec

from lowtide.model.command import Perform
from tests.plays import Play, document, play


def test_a_task_of_a_function_knows_its_definition() -> None:
    body = "use: {functions: {f: {do: [{s: {set: '${ $task.definition }'}}]}}}\ndo: [{ask: {call: f, with: {}}}]"
    assert play(body).output == {"set": "${ $task.definition }"}


LOGGED = """
use:
  extensions:
  - log:
      extend: call
      before: [{begun: {call: log, with: {say: begun}}}]
      after: [{ended: {call: log, with: {say: ended}}}]
do:
- both: {fork: {branches: [{a: {call: work, with: {n: 1}}}, {b: {call: work, with: {n: 2}}}]}}
"""


def test_the_same_extension_of_two_branches_asks_for_effects_of_its_own() -> None:
    started = Play(document(LOGGED)).begin()
    assert [command.id for command in started.wanted(Perform)] == [
        "/do/0/both/fork/branches/0/a/extensions/0/log/before/0/begun@1.1.1.1",
        "/do/0/both/fork/branches/1/b/extensions/0/log/before/0/begun@1.1.1.1",
    ]
    # Whatever order the answers come in, a branch moves on by its own.
    assert started.settle(lambda commands: commands[-1]).output == [
        {"name": "work", "with": {"n": 1}},
        {"name": "work", "with": {"n": 2}},
    ]
    assert len(started.performed) == len({command.id for command in started.performed}) == 6


def test_a_call_shows_what_it_authenticated_with_also_after_an_extension() -> None:
    body = """
use: {extensions: [{log: {extend: call, after: [{nap: {wait: PT1H}}]}}]}
do:
- ask:
    call: http
    with: {method: get, endpoint: {uri: 'http://x', authentication: {bearer: {token: abc}}}}
    output: {as: $authorization.parameter}
"""
    assert play(body).output == "abc"


def test_a_document_without_extensions_has_no_trace_of_them_in_its_state() -> None:
    started = play("do: [{listen: {listen: {to: {one: {with: {type: t}}}}}}]")
    assert b"extended" not in msgspec.json.encode(started.state)
