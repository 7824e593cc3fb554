"""`run: container` in the pure engine: a passive command whose end comes as an effect's does."""

from __future__ import annotations

from typing import Any

import pytest

from lowtide.model.base import Millis
from lowtide.model.command import Container, RunContainer, Sleep
from lowtide.model.error import standard_error
from lowtide.model.event import EffectFailed, EffectSucceeded
from tests.plays import Play, document, play


def wanted(members: str, input: Any = None, *, more: str = "") -> RunContainer:
    """What a container of these members is made of."""
    (command,) = begun(members, input, more=more).wanted(RunContainer)
    assert isinstance(command, RunContainer)
    return command


def begun(members: str, input: Any = None, *, more: str = "") -> Play:
    return Play(document(f"do: [{{work: {{run: {{container: {members}{more}}}}}}}]")).begin(input)


def test_a_container_is_asked_for_with_all_that_it_is_made_of() -> None:
    members = """{image: 'alpine:3', name: '${ "job-" + .n }', command: 'echo $1', arguments: ['${ .n }', b],
      environment: {N: '${ .n }', COUNT: 3, GONE: null}, stdin: '${ . }', ports: {8080: 80}, volumes: {data: /data},
      pullPolicy: always, lifetime: {cleanup: eventually, after: PT30M}}"""
    assert wanted(members, {"n": "7"}).container == Container(
        image="alpine:3",
        name="job-7",
        command="echo $1",
        arguments=("7", "b"),
        environment={"N": "7", "COUNT": "3"},
        stdin='{"n":"7"}',
        ports={"8080": 80},
        volumes={"data": "/data"},
        pull="always",
        cleanup="eventually",
        after=1_800_000,
    )


def test_where_the_document_says_nothing_the_container_leaves_nothing_behind() -> None:
    assert wanted("{image: x}").container == Container(image="x", cleanup="always", pull="ifNotPresent")


def test_a_timeout_of_the_task_is_the_containers_too() -> None:
    made = Play(document("do: [{work: {timeout: {after: PT5S}, run: {container: {image: x}, return: code}}}]")).begin()
    (command,) = made.wanted(RunContainer)
    assert isinstance(command, RunContainer)
    assert (command.timeout, command.wanted, command.detached) == (5000, "code", False)


def test_its_end_is_the_tasks_output() -> None:
    assert play("do: [{work: {run: {container: {image: x}}, output: {as: '{ran: .}'}}}]").output == {"ran": "x"}


def test_while_it_runs_the_task_waits() -> None:
    made = begun("{image: x}")
    assert made.statuses("work") == ["running", "waiting"]
    assert made.outcome is None


def test_one_that_is_not_awaited_gives_the_tasks_input_and_its_failure_to_start_is_the_tasks() -> None:
    made = begun("{image: x}", {"n": 1}, more=", await: false")
    (command,) = made.wanted(RunContainer)
    assert isinstance(command, RunContainer)
    assert command.detached
    at = Millis(made.state.now + 1)
    assert made.feed(EffectSucceeded(command=command.id, at=at)).output == {"n": 1}


def test_its_error_can_be_caught_and_it_is_run_again_under_another_id() -> None:
    body = "do: [{t: {try: [{work: {run: {container: {image: x}}}}], catch: {retry: {limit: {attempt: {count: 1}}}}}}]"
    made, ids = Play(document(body)).begin(), []
    for _ in range(2):
        (command,) = made.wanted(RunContainer)
        ids.append(command.id)
        error = standard_error("runtime", "exit code 3")
        made.feed(EffectFailed(command=command.id, error=error, at=Millis(made.state.now + 1)))
        for delay in made.wanted(Sleep):
            made.respond(delay)
    assert len(set(ids)) == 2


def test_the_loser_of_a_race_is_no_longer_wanted() -> None:
    branches = "[{a: {run: {container: {image: slow}}}}, {b: {wait: PT1S}}]"
    made = Play(document(f"do: [{{race: {{fork: {{compete: true, branches: {branches}}}}}}}, {{nap: {{wait: PT1H}}}}]"))
    made.begin()
    (command,) = made.wanted(RunContainer)
    made.respond(made.answerable()[-1])
    assert not made.wanted(RunContainer)
    assert command.id in made.turn.retracted


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ("{image: '${ 3 }'}", "`run.container.image` must name an image"),
        ("{image: '--privileged'}", "`run.container.image` must name an image"),
        ("{image: x, command: '${ 3 }'}", "`run.container.command` must be a command"),
        ("{image: x, ports: {http: 80}}", "`run.container.ports`"),
        ("{image: x, ports: {'80': 70000}}", "`run.container.ports`"),
        ("{image: x, volumes: {/etc: /etc}}", "folders of the machine are never mounted"),
        ("{image: x, volumes: {data: data}}", "absolute path"),
        ("{image: x, arguments: [\"a\\0b\"]}", "NUL"),
        ("{image: x, lifetime: {cleanup: eventually, after: '${ 1 }'}}", "`run.container.lifetime.after`"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_container_is_a_configuration_error(members: str, told: str) -> None:
    error = begun(members).error
    assert (error.status, error.instance) == (400, "/do/0/work")
    assert told in str(error.detail)
