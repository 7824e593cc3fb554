"""Each task kind, by what a workflow's author sees of it."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.model.command import Perform, RunChild, Sleep
from lowtide.model.error import Error, standard_error
from lowtide.model.event import CancelAsked, ChildEnded
from tests.plays import NOW, Play, document, play

DOWN = standard_error("communication", "down", status=503)


def failing(times: int, error: Error = DOWN) -> Any:
    left = [times]

    def answer(command: Perform) -> Any:
        left[0] -= 1
        return error if left[0] >= 0 else {"ok": True}

    return answer


# ---------------------------------------------------------------- for


def test_for_hands_each_iteration_the_output_of_the_one_before() -> None:
    done = play(
        "do: [{f: {for: {each: c, in: .cs, at: i}, do: [{s: {set: {all: '${ .all + [[$i, $c]] }'}}}]}}]", {"cs": [5, 6]}
    )
    assert done.output == {"all": [[0, 5], [1, 6]]}


def test_for_without_items_gives_its_input() -> None:
    assert play("do: [{f: {for: {in: '[]'}, do: [{s: {set: {x: 1}}}]}}]", 3).output == 3


def test_while_is_asked_before_each_iteration() -> None:
    done = play("do: [{f: {for: {in: '[1,2,3,4]'}, while: '. < 2', do: [{s: {set: '${ . + 1 }'}}]}}]", 0)
    assert done.output == 2


def test_exit_in_a_loop_ends_one_iteration_and_end_ends_all() -> None:
    body = "do: [{f: {for: {in: '[1,2,3]'}, do: [{s: {set: '${ . + 1 }', then: %s}}, {t: {set: '${ . + 100 }'}}]}}]"
    assert play(body % "exit", 0).output == 3
    assert play(body % "end", 0).output == 1


def test_looping_over_something_else_says_how_to_mend_it() -> None:
    error = play("do: [{f: {for: {in: .x}, do: [{s: {set: {x: 1}}}]}}]", {"x": "text"}).error
    assert error.type.endswith("/expression")
    assert "array" in (error.detail or "")


# ---------------------------------------------------------------- fork


def test_fork_gives_all_outputs_in_declaration_order() -> None:
    call = "call: http, with: {method: get, endpoint: 'http://x/a'}"
    body = f"do: [{{f: {{fork: {{branches: [{{a: {{{call}}}}}, {{b: {{set: {{b: 1}}}}}}]}}}}}}]"
    started = Play(document(body), answer=lambda command: "A").begin()
    assert [type(command) for command in started.wanted()] == [Perform]
    assert started.settle().output == ["A", {"b": 1}]


def test_branches_have_contexts_of_their_own_until_the_join() -> None:
    done = play(
        """
do:
- f:
    fork:
      branches:
      - a: {set: {}, export: {as: '$context + {a: 1, shared: "a"}'}}
      - b: {set: {saw: '${ $context }'}, export: {as: '$context + {b: 2, shared: "b"}'}}
- look: {set: {branches: '${ . }', context: '${ $context }'}}
""".replace("set: {}", "set: {x: 0}"),
        {"first": 0},
    )
    assert done.output["branches"][1] == {"saw": {"first": 0}}
    assert done.output["context"] == {"first": 0, "a": 1, "b": 2, "shared": "b"}


def test_a_failed_branch_cancels_the_others() -> None:
    body = """
do:
- f:
    fork:
      branches:
      - slow: {wait: PT1H}
      - bad: {call: http, with: {method: get, endpoint: 'http://x'}}
"""
    started = Play(document(body), answer=failing(1)).begin()
    (call,) = started.wanted(Perform)
    started.respond(call)
    assert started.error.instance == "/do/0/f/fork/branches/1/bad"
    assert started.statuses("slow")[-1] == "cancelled"
    assert started.turn.retracted == ("/do/0/f/fork/branches/0/slow@1.1.1",)


RACE = """
do:
- f:
    fork:
      compete: true
      branches:
      - a: {call: http, with: {method: get, endpoint: 'http://a'}, export: {as: '{winner: "a"}'}}
      - b: {call: http, with: {method: get, endpoint: 'http://b'}, export: {as: '{winner: "b"}'}}
- look: {set: {output: '${ . }', context: '${ $context }'}}
"""


def test_the_first_branch_to_complete_wins_the_race() -> None:
    started = Play(document(RACE), answer=lambda command: command.arguments["endpoint"]).begin({})
    started.respond(started.wanted(Perform)[1])
    assert started.output == {"output": "http://b", "context": {"winner": "b"}}
    assert started.statuses("a") == ["running", "cancelled"]


def test_a_race_that_all_lose_raises_the_last_error() -> None:
    done = play(RACE, {}, answer=lambda command: standard_error("communication", str(command.arguments["endpoint"])))
    assert done.error.detail == "http://b"


# ---------------------------------------------------------------- try


CAUGHT = """
do:
- t:
    try: [{c: {call: http, with: {method: get, endpoint: 'http://x'}}}]
    catch:
      errors: {with: {type: %s, status: %s}}
      as: err
      do: [{s: {set: {caught: '${ $err.instance }'}}}]
"""


@pytest.mark.parametrize(
    "host",
    ["https://open-workflow-specification.org/spec/1.0.0/errors", "https://serverlessworkflow.io/dsl/errors/types"],
)
def test_standard_errors_are_caught_under_any_of_their_names(host: str) -> None:
    done = play(CAUGHT % (f"{host}/communication", 503), answer=failing(1))
    assert done.output == {"caught": "/do/0/t/try/0/c"}


def test_an_error_that_the_filter_does_not_name_is_not_caught() -> None:
    done = play(
        CAUGHT % ("https://open-workflow-specification.org/spec/1.0.0/errors/communication", 404), answer=failing(1)
    )
    assert done.error.status == 503


RETRY = """
do:
- t:
    try: [{c: {call: http, with: {method: get, endpoint: 'http://x'}}}]
    catch: {retry: {delay: {seconds: 2}, backoff: {%s: {}}, limit: {attempt: {count: %s}}}%s}
"""


@pytest.mark.parametrize(
    ("backoff", "delays"), [("constant", [2, 2, 2]), ("linear", [2, 4, 6]), ("exponential", [2, 4, 8])]
)
def test_a_failed_call_is_tried_again_with_growing_delays(backoff: str, delays: list[int]) -> None:
    done = play(RETRY % (backoff, 5, ""), answer=failing(3))
    assert done.output == {"ok": True}
    starts = [NOW + 1]
    waited = [sleep.until for sleep in done.slept]
    for delay, until in zip(delays, waited, strict=True):
        assert until == starts[-1] + delay * 1000
        starts.append(until + 1)
    assert len({command.id for command in done.performed}) == 4
    assert done.statuses("t") == ["running", "retried", "retried", "retried", "completed"]
    assert [fact.attempt for fact in done.facts if fact.name == "c" and fact.status == "running"] == [1, 2, 3, 4]


def test_the_limit_counts_retries_and_then_the_error_goes_on() -> None:
    done = play(RETRY % ("constant", 2, ""), answer=failing(99))
    assert len(done.performed) == 3
    assert done.error.status == 503


def test_when_retries_are_used_up_catch_do_takes_over() -> None:
    done = play(RETRY % ("constant", 1, ", do: [{s: {set: {gave: up}}}]"), answer=failing(99))
    assert done.output == {"gave": "up"}


def test_a_retry_around_a_retry_never_repeats_a_command() -> None:
    body = """
do:
- outer:
    try:
    - inner:
        try: [{c: {call: http, with: {method: get, endpoint: 'http://x'}}}]
        catch: {retry: {limit: {attempt: {count: 2}}}}
    catch: {retry: {limit: {attempt: {count: 2}}}}
"""
    done = play(body, answer=failing(99))
    ids = [command.id for command in done.performed]
    assert len(ids) == len(set(ids)) == 9


def test_an_attempt_that_takes_too_long_is_a_timeout_that_is_retried() -> None:
    body = """
do:
- t:
    try: [{c: {call: http, with: {method: get, endpoint: 'http://x'}}}]
    catch: {retry: {limit: {attempt: {count: 1, duration: PT5S}}}}
"""
    started = Play(document(body)).begin().expire()
    assert started.turn.retracted[0].startswith("/do/0/t/try/0/c@")
    assert started.settle().output is not None
    assert started.statuses("t")[:2] == ["running", "retried"]


# ---------------------------------------------------------------- raise, wait, emit, timeouts


def test_raise_fails_with_the_given_error_at_its_own_place() -> None:
    done = play("do: [{r: {raise: {error: {type: 'https://x/y', status: 418, title: '${ .t }'}}}}]", {"t": "teapot"})
    assert done.error == Error("https://x/y", 418, "teapot", None, "/do/0/r")


def test_a_thirty_day_wait_takes_one_timer() -> None:
    started = Play(document("do: [{w: {wait: {days: 30}}}]")).begin(1)
    (sleep,) = started.wanted(Sleep)
    assert isinstance(sleep, Sleep)
    assert sleep.until == NOW + 30 * 86_400_000
    assert started.settle().output == 1


def test_emit_gives_the_whole_envelope_with_what_was_left_out() -> None:
    done = play("do: [{e: {emit: {event: {with: {type: a.b, data: {n: '${ .n }'}, subject: s}}}}}]", {"n": 1})
    assert done.published == [done.output]
    assert done.output == {
        "specversion": "1.0",
        "id": "e/do/0/e@1.1",
        "source": "/lowtide/tests/sample",
        "time": "2023-11-14T22:13:20.000Z",
        "type": "a.b",
        "subject": "s",
        "data": {"n": 1},
        "datacontenttype": "application/json",
    }


def test_a_task_that_takes_too_long_is_a_timeout_that_can_be_caught() -> None:
    body = """
do:
- t:
    try: [{w: {wait: PT1H, timeout: {after: PT5S}}}]
    catch: {errors: {with: {status: 408}}, do: [{s: {set: {late: true}}}]}
"""
    assert Play(document(body)).begin().expire().output == {"late": True}


def test_a_workflow_that_takes_too_long_faults_and_drops_what_is_under_way() -> None:
    started = Play(document("timeout: {after: {minutes: 1}}\ndo: [{w: {wait: PT1H}}]")).begin().expire()
    assert started.error.status == 408
    assert started.state.pending == {}


def test_cancel_ends_everything_at_once() -> None:
    started = Play(document("do: [{w: {wait: PT1H}}]")).begin()
    started.feed(CancelAsked(at=NOW, reason="enough"))
    assert started.outcome is not None
    assert started.outcome.__struct_config__.tag == "cancelled"
    assert started.statuses("w") == ["running", "waiting", "cancelled"]
    assert started.turn.retracted == ("/do/0/w@1.1",)


def test_an_answer_to_a_command_that_nobody_wants_is_ignored() -> None:
    started = Play(document("do: [{w: {wait: PT1H}}]")).begin()
    before = started.state.pending
    started.feed(ChildEnded(command="/do/9/x@1", execution="c", at=NOW))
    assert started.outcome is None
    assert started.state.pending == before


# ---------------------------------------------------------------- calls and children


def test_http_arguments_are_rendered_and_paths_are_expanded_from_the_input() -> None:
    done = play(
        """
do:
- c:
    call: http
    with:
      method: post
      endpoint: {uri: 'http://x/pets/{id}?n={name}'}
      headers: {a: '${ .id }'}
      body: {p: '${ . }'}
""",
        {"id": 7, "name": "a b"},
    )
    assert done.performed[0].arguments == {
        "method": "post",
        "endpoint": {"uri": "http://x/pets/7?n=a%20b"},
        "headers": {"a": 7},
        "body": {"p": {"id": 7, "name": "a b"}},
    }


def test_what_an_expression_gives_is_never_taken_for_a_template() -> None:
    done = play(
        "do: [{c: {call: http, with: {method: get, endpoint: '${ .url }'}}}]",
        {"url": "http://x/{secret}", "secret": "s"},
    )
    assert done.performed[0].arguments["endpoint"] == "http://x/{secret}"


def test_a_function_of_the_document_is_called_with_its_arguments_as_input() -> None:
    done = play(
        """
use:
  functions:
    getPet: {call: http, with: {method: get, endpoint: 'http://x/{petId}'}, output: {as: .endpoint}}
do:
- one: {call: getPet, with: {petId: 69}}
""",
        {"petId": 1},
    )
    assert done.output == "http://x/69"
    assert done.performed[0].reference == "/do/0/one"


def test_any_other_name_is_a_step() -> None:
    done = play("do: [{s: {call: price, with: {sku: '${ .sku }'}}}]", {"sku": "A"})
    assert (done.performed[0].call, done.performed[0].arguments) == ("step", {"name": "price", "with": {"sku": "A"}})


CHILD = "do: [{c: {run: {workflow: {namespace: tests, name: other, version: '1.0.0', input: {n: '${ .n }'}}%s}}}]"


def test_a_child_workflow_gives_its_output() -> None:
    started = Play(document(CHILD % "")).begin({"n": 1})
    (child,) = started.wanted(RunChild)
    assert isinstance(child, RunChild)
    assert (child.workflow, child.version, child.input, child.detached) == ("other", "1.0.0", {"n": 1}, False)
    assert started.settle().output == {"n": 1}


def test_a_child_that_faults_faults_its_parent_at_the_calling_task() -> None:
    started = Play(document(CHILD % "")).begin({"n": 1})
    error = Error("https://x/y", 500, "no", None, "/do/0/inner")
    started.feed(ChildEnded(command=started.wanted()[0].id, execution="c", error=error, at=NOW))
    assert (started.error.type, started.error.instance) == ("https://x/y", "/do/0/c")


def test_a_child_that_nobody_awaits_is_handed_over() -> None:
    started = Play(document(CHILD % ", await: false")).begin({"n": 1})
    (child,) = started.wanted(RunChild)
    assert isinstance(child, RunChild)
    assert child.detached
