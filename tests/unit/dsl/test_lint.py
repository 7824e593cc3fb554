"""Warnings, and the rules that need more than one look; errors have a file each in ``broken/``."""

from typing import get_args

import pytest

from lowtide.dsl import Problem, check
from lowtide.dsl.lint.cron import explain_cron
from lowtide.dsl.lint.document import LEVELS
from lowtide.model.ours import DURABILITIES
from lowtide.wire.types import Level

HEAD = "document: {dsl: 1.0.3, namespace: default, name: test, version: 1.0.0}\n"
WAIT = "{wait: PT1S}"


def problems(body: str) -> tuple[Problem, ...]:
    return check(HEAD + body).problems


def warnings(body: str) -> list[str]:
    found = problems(body)
    assert all(problem.severity == "warning" for problem in found), found
    return [f"{problem.line}: {problem.message}" for problem in found]


def test_a_sound_document_has_no_problem() -> None:
    assert problems(f"do:\n- a: {WAIT}\n- b: {WAIT}\n") == ()


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        ("do: []\n", 2, "holds no task"),
        ("do:\n- a: {do: []}\n", 3, "the list 'do' of 'a' holds no task"),
        ("do:\n- a: {fork: {branches: []}}\n", 3, "the list 'branches' of 'a' holds no task"),
        (f"do:\n- a: {{wait: PT1S, then: end}}\n- b: {WAIT}\n", 4, "no path leads to the task 'b'"),
        (f"do:\n- a: {{raise: {{error: {{type: /e, status: 400}}}}}}\n- b: {WAIT}\n", 4, "no path leads to"),
        (f"do:\n- a: {{switch: [{{x: {{then: c}}}}]}}\n- b: {WAIT}\n- c: {WAIT}\n", 4, "no path leads to the task 'b'"),
        (f"do:\n- a: {{switch: [x: {{then: b}}, y: {{when: .y, then: b}}]}}\n- b: {WAIT}\n", 3, "does not stand last"),
        (
            f"do:\n- a: {{switch: [x: {{when: .x, then: b}}, x: {{then: b}}]}}\n- b: {WAIT}\n",
            3,
            "a second case 'x'",
        ),
        ("do:\n- a: {call: htp}\n", 3, "'htp' is neither a call of the standard"),
        ("use: {functions: {price: {wait: PT1S}}}\ndo:\n- a: {call: prise}\n", 4, "'prise' is neither"),
        ("do:\n- a: {call: http, with: {method: gett, endpoint: /a}}\n", 3, "'gett' is no usual HTTP method"),
        ("do:\n- a: {call: http, with: {method: get, endpoint: /a}, timeout: {after: PT5M}}\n", 3, "may take PT5M"),
        ("use: {timeouts: {t: {after: PT1H}}}\ndo:\n- a: {call: f, timeout: t}\n", 4, "may take PT1H"),
        ("do:\n- a: {run: {script: {language: pyton, code: pass}}}\n", 3, "scripts in 'pyton'"),
        ("do:\n- a: {run: {container: {image: x, volumes: {/etc: /etc}}}}\n", 3, "'/etc' cannot be a volume's name"),
        ("do:\n- a: {run: {container: {image: x, ports: {http: 80}}}}\n", 3, "not a pair of ports"),
        ("do:\n- a: {run: {container: {image: x, ports: {'80': 70000}}}}\n", 3, "not a pair of ports"),
        ("do:\n- a: {run: {container: {image: x, stdin: hi}}}\n", 3, "'stdin' needs 'command'"),
        (
            f"do:\n- a: {{try: [b: {WAIT}], catch: {{retry: {{backoff: {{linear: {{factor: 2}}}}}}}}}}\n",
            3,
            "'factor' means nothing in a backoff",
        ),
        ("use: {timeouts: {t: {after: PT1H}}}\ndo:\n- a: {wait: PT1S}\n", 2, "nothing uses 't' of use.timeouts"),
        ("do:\n- a: {listen: {to: {any: []}}, foreach: {do: [b: {wait: PT1S}]}}\n", 3, "'foreach' runs once"),
        ("do:\n- a: {set: {b: .order.id}}\n", 3, "'.order.id' is text, not an expression"),
        ("do:\n- a: {set: $context.b}\n", 3, "'$context.b' is text, not an expression"),
        ("do:\n- a: {set: {b: '${ .c[] }'}}\n", 3, "gives every element"),
        ("do:\n- a: {for: {in: '.c[]'}, do: [b: {wait: PT1S}]}\n", 3, "gives every element"),
        ("do:\n- a: {set: {b: '${ .c, .d }'}}\n", 3, "gives several values"),
        ("do:\n- a: {set: {b: '${ input }'}}\n", 3, "'input' is not available in workflows"),
        (f"do:\n- a: {{for: {{each: input, in: .x}}, do: [b: {WAIT}]}}\n", 3, "hides the standard's own"),
        ("schedule: {cron: 0 0 31 2 *}\ndo:\n- a: {wait: PT1S}\n", 2, "the day never comes"),
    ],
)
def test_what_is_allowed_but_odd_is_warned_of(body: str, line: int, message: str) -> None:
    found = warnings(body)
    assert len(found) == 1, found
    assert found[0].startswith(f"{line}: ")
    assert message in found[0]


@pytest.mark.parametrize(
    "body",
    [
        f"do:\n- a: {{if: .x, raise: {{error: {{type: /e, status: 400}}}}}}\n- b: {WAIT}\n",
        f"do:\n- a: {{if: .x, wait: PT1S, then: end}}\n- b: {WAIT}\n",
        f"do:\n- a: {{switch: [x: {{when: .x, then: c}}]}}\n- b: {WAIT}\n- c: {WAIT}\n",
        f"do:\n- a: {{try: [x: {WAIT}], catch: {{then: c}}, then: end}}\n- c: {WAIT}\n",
        "do:\n- a: {wait: PT1S, then: c}\n- b: {wait: PT1S, then: end}\n- c: {wait: PT1S, then: b}\n",
        "do:\n- a: {set: {b: '${ [.c[]] }', c: '${ .a // [] }', d: '${ first(.c[]) }', e: '${ [1, 2] }'}}\n",
        "do:\n- a: {set: {b: '${ def f: 1, 2; [f] }', c: '${ {input: 1}.input }'}}\n",
        "do:\n- a: {set: {b: '${ . as {$x, y: [$y]} | $x + $y }'}}\n",
        "do:\n- a: {set: {b: '${ reduce .[] as $i (0; . + $i) }', c: '${ [label $out | .[] | break $out] }'}}\n",
        "do:\n- a: {set: {b: '${ $ENV.HOME }', c: '${ $__loc__.line }'}}\n",
        "do:\n- a: {set: {b: '${ \"\\(.a | length)\" }'}}\n",
        "do:\n- a: {call: someStep, with: {x: 1}}\n",
        "do:\n- a: {call: log:1.0.0@default}\n",
        "do:\n- a: {call: 'https://example.com/functions/log/1.0.0/function.yaml'}\n",
    ],
)
def test_what_is_in_order_is_not_warned_of(body: str) -> None:
    assert problems(body) == ()


@pytest.mark.parametrize("version", ["1.0.0", "1.0.1", "1.0.2", "1.0.3"])
def test_every_published_version_of_the_language_is_accepted(version: str) -> None:
    assert check(HEAD.replace("1.0.3", version) + f"do:\n- a: {WAIT}\n").problems == ()


@pytest.mark.parametrize("arguments", ["[a, '${ .b }', 5]", "{name: a, other: '${ .b }'}", "'${ .all }'"])
def test_arguments_are_a_list_or_the_older_map(arguments: str) -> None:
    for process in ("shell: {command: ls", "script: {language: python, code: pass"):
        assert problems(f"do:\n- a: {{run: {{{process}, arguments: {arguments}}}}}}}\n") == ()


@pytest.mark.parametrize(
    "body",
    [
        "do:\n- a: {call: http, with: {method: get, endpoint: /a, headers: {n: 5}, query: {b: true, c: 1.5}}}\n",
        "do:\n- a: {for: {in: [a, 1, null]}, do: [b: {wait: PT1S}]}\n",
        "do:\n- a: {wait: {seconds: 0.5}}\n",
        "do:\n- a: {raise: {error: {type: /e, status: '${ .status }'}}}\n",
        "do:\n- a: {try: [b: {wait: PT1S}], catch: {retry: {backoff: {exponential: null}}}}\n",
        "do:\n- a: {try: [b: {wait: PT1S}], catch: {retry: {backoff: {exponential: }}}}\n",
        "do:\n- a: {run: {workflow: {namespace: a, name: b, input: [1]}}}\n",
        "use: {authentications: {x: {bearer: {token: t}}}}\n"
        "do:\n- a: {call: http, with: {method: get, endpoint: {uri: /a, authentication: x}}}\n",
    ],
)
def test_we_are_more_generous_than_the_schema_where_people_are(body: str) -> None:
    assert problems(body) == ()


def test_the_variables_of_a_loop_are_known_inside_it() -> None:
    inner = "{for: {in: $one, at: i}, do: [c: {set: {d: '${ $one + $item + $i }'}}]}"
    body = f"do:\n- a: {{for: {{in: .x, each: one}}, do: [b: {inner}]}}\n"
    assert problems(body) == ()


def test_a_retry_policy_sees_the_caught_error_of_whoever_uses_it() -> None:
    body = "use: {retries: {r: {when: $problem.status == 500}}}\n"
    body += "do:\n- a: {try: [b: {wait: PT1S}], catch: {as: problem, retry: r}}\n"
    assert problems(body) == ()


def test_mistakes_of_every_layer_are_reported_at_once() -> None:
    body = (
        "use: {secrets: [a, a, ]}\nschedule: {every: PT1H, cron: '* * * *'}\n"
        "do:\n- a: {set: {b: 1, b: 2}}\n- a: {call: http, with: {method: get}, then: nowhere, if: .x |}\n"
    )
    messages = " ".join(problem.message for problem in problems(body))
    for part in ("stands here twice", "'cron' besides 'every'", "five fields", "second task 'a'", "needs 'endpoint'"):
        assert part in messages
    assert "no task 'nowhere'" in messages
    assert "ends too early" in messages


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "*/5 0-6,12 1,15 * mon-fri",
        "0 0 ? JAN-mar SUN",
        "5/15 * * * *",
        "CRON_TZ=Europe/Berlin 0 6 * * *",
        "TZ=UTC 0 6 * * 0",
        "0 0 31 2 mon",
    ],
)
def test_a_cron_expression_is_accepted(text: str) -> None:
    assert list(explain_cron(text)) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "five fields"),
        ("@daily", "begins with @daily"),
        ("* * * * * *", "this has 6"),
        ("60 * * * *", "60 is not between 0 and 59"),
        ("* * 0 * *", "0 is not between 1 and 31"),
        ("* * * foo *", "nor one of jan"),
        ("5-1 * * * *", "ends before it begins"),
        ("*/0 * * * *", "the step 0"),
        ("1,,2 * * * *", "neither *, a value"),
        ("a-b-c * * * *", "neither *, a value"),
        ("-1 * * * *", "neither *, a value"),
    ],
)
def test_a_cron_expression_is_refused(text: str, message: str) -> None:
    (found,) = explain_cron(text)
    assert found[0] == "error"
    assert message in found[1]


def test_the_levels_of_lifecycle_events_are_those_of_the_wire() -> None:
    """The linter may not import the wire, which is its sibling."""
    assert get_args(Level) == LEVELS


@pytest.mark.parametrize("level", [*LEVELS, "tasks", "3", "[]"])
def test_a_level_of_lifecycle_events_that_there_is_not_is_an_error(level: str) -> None:
    head = HEAD.replace("version: 1.0.0}", f"version: 1.0.0, metadata: {{lowtide: {{lifecycle: {level}}}}}}}")
    found = [problem.message for problem in check(head + f"do:\n- a: {WAIT}\n").problems]
    assert len(found) == (level not in LEVELS), found
    assert all("is none of none, workflow, task, all" in message for message in found)


@pytest.mark.parametrize("durability", [*DURABILITIES, "none", "[full]"])
def test_a_durability_that_there_is_not_is_an_error(durability: str) -> None:
    head = HEAD.replace("version: 1.0.0}", f"version: 1.0.0, metadata: {{lowtide: {{durability: {durability}}}}}}}")
    found = [problem.message for problem in check(head + f"do:\n- a: {WAIT}\n").problems]
    assert len(found) == (durability not in DURABILITIES), found
    assert all("is none of full, relaxed" in message for message in found)


@pytest.mark.parametrize(
    ("retain", "wrong"),
    [
        ("P30D", None),
        ("{days: 7}", None),
        ("P0D", "nobody could look at an execution that is kept for no time"),
        ("a month", "is not a duration"),
        ("30", "is not a duration"),
        ("[]", "is not a duration"),
    ],
)
def test_a_retention_that_is_no_duration_is_an_error(retain: str, wrong: str | None) -> None:
    head = HEAD.replace("version: 1.0.0}", f"version: 1.0.0, metadata: {{lowtide: {{retain: {retain}}}}}}}")
    found = [problem.message for problem in check(head + f"do:\n- a: {WAIT}\n").problems]
    assert [wrong is not None and wrong in message for message in found] == [True] * (wrong is not None), found
