"""What whoever serves `run: container` may expect of a runtime: a fake, Docker's command line, Kubernetes alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from functions.orchestrate.containers.job import Limits
from functions.orchestrate.containers.kubernetes import Jobs
from lowtide.effects.container import Bounds, LocalContainers
from lowtide.errors import TaskFailed, Unavailable
from lowtide.model.command import Container
from lowtide.model.container import Order, Seen
from lowtide.runtime.clock import SystemClock
from lowtide.runtime.containers import Containers, conclude
from lowtide.testing.containers import FakeContainers, Ran
from tests.eventually import eventually
from tests.standins.docker import install
from tests.standins.kubernetes import Cluster, cluster

pytestmark = pytest.mark.anyio

LIMITS = Limits(namespace="work", memory=1 << 28, cpus=0.5, user=65532, output=10_000)


def order(which: str = "one", **container: Any) -> Order:
    container = {"image": "hello-world", **container}
    return Order(
        id=f"lowtide-{which}",
        execution="e",
        reference="/do/0/r",
        container=Container(**container),
        seconds=30,
        wanted="all",
    )


def local(folder: Path, **bounds: Any) -> LocalContainers:
    bounded = Bounds(**{"output": 10_000, **bounds})
    return LocalContainers(SystemClock(), install(folder), allowed=True, bounds=bounded)


@pytest.fixture
async def made() -> AsyncIterator[Cluster]:
    async with cluster() as there:
        yield there


@pytest.fixture(params=["fake", "docker", "kubernetes"])
async def containers(request: pytest.FixtureRequest, tmp_path: Path, made: Cluster) -> AsyncIterator[Containers]:
    there: Containers
    match request.param:
        case "fake":
            failing = Ran(3, "out\n", "err\n")
            there = FakeContainers({"hello-world": Ran(0, "Hello from Docker!\n"), "slow": None, "alpine": failing})
        case "docker":
            there = local(tmp_path)
        case _:
            there = Jobs(LIMITS, allowed=True, kubeconfig=made.kubeconfig)
    yield there
    await there.close()


async def until_over(containers: Containers, which: Order) -> Seen:
    async with asyncio.timeout(20):
        while True:
            seen = await containers.look(which.id)
            if seen.phase not in ("starting", "running"):
                return seen
            await asyncio.sleep(0.02)


# ---------------------------------------------------------------- all of them


async def test_a_container_is_started_seen_to_end_and_read(containers: Containers) -> None:
    wanted = order()
    await containers.start(wanted)
    assert await until_over(containers, wanted) == Seen("ended")
    assert await containers.logs(wanted.id) == ("Hello from Docker!\n", "")
    await containers.end(wanted.id)
    assert (await containers.look(wanted.id)).phase == "gone"


async def test_an_exit_code_and_both_streams_are_told_apart(containers: Containers) -> None:
    wanted = order(image="alpine", command="echo out; echo err >&2; exit 3")
    await containers.start(wanted)
    seen = await until_over(containers, wanted)
    assert await conclude(containers, wanted, seen) == {"code": 3, "stdout": "out\n", "stderr": "err\n"}
    await containers.end(wanted.id)


async def test_one_that_ends_while_it_is_looked_at_has_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    containers, wanted = local(tmp_path), order(image="cat", stdin="abc")
    look, looks = containers.look, 0

    async def slowly(container: str) -> Seen:
        """The first look after the start says what was so before the container ended."""
        nonlocal looks
        looks += 1
        if looks == 2:
            async for attempt in eventually():
                with attempt:
                    assert (await look(container)).phase == "ended"
            await asyncio.sleep(0.3)  # and the command line with it
            return Seen("starting")
        return await look(container)

    monkeypatch.setattr(containers, "look", slowly)
    await containers.start(wanted)
    assert await containers.logs(wanted.id) == ("abc\n", "")
    assert looks > 2
    await containers.end(wanted.id)
    await containers.close()


async def test_a_container_that_was_started_is_not_started_again(containers: Containers) -> None:
    wanted = order()
    await containers.start(wanted)
    seen = await until_over(containers, wanted)
    await containers.start(wanted)
    assert await containers.look(wanted.id) == seen
    await containers.end(wanted.id)


async def test_two_starts_at_once_are_one(containers: Containers) -> None:
    wanted = order(image="slow")
    await asyncio.gather(*(containers.start(wanted) for _ in range(3)))
    assert (await containers.look(wanted.id)).phase in ("starting", "running")
    await containers.end(wanted.id)


async def test_a_container_that_runs_is_stopped_by_its_end(containers: Containers) -> None:
    wanted = order(image="slow")
    await containers.start(wanted)
    await containers.end(wanted.id)
    assert (await containers.look(wanted.id)).phase == "gone"


async def test_what_never_was_is_gone_and_can_be_ended(containers: Containers) -> None:
    assert (await containers.look("lowtide-never")).phase == "gone"
    await containers.end("lowtide-never")
    await containers.end("lowtide-never")


# ---------------------------------------------------------------- the real two


@pytest.fixture(params=["docker", "kubernetes"])
async def real(request: pytest.FixtureRequest, tmp_path: Path, made: Cluster) -> AsyncIterator[Containers]:
    there: Containers = local(tmp_path)
    if request.param == "kubernetes":
        there = Jobs(LIMITS, allowed=True, kubeconfig=made.kubeconfig)
    yield there
    await there.close()


async def result(containers: Containers, wanted: Order) -> Any:
    await containers.start(wanted)
    try:
        return await conclude(containers, wanted, await until_over(containers, wanted))
    finally:
        await containers.end(wanted.id)


async def test_a_command_is_given_stdin_arguments_and_variables_as_they_are(real: Containers) -> None:
    wanted = order(
        image="alpine",
        command='cat; echo "$1|$2|$A|$B"',
        stdin="line\n$(HOME) 'quoted'\n",
        arguments=("two words", "$(A) $$"),
        environment={"A": "a = b", "B": "x\ny"},
    )
    assert (await result(real, wanted))["stdout"] == "line\n$(HOME) 'quoted'\ntwo words|$(A) $$|a = b|x\ny\n"


async def test_arguments_alone_go_to_the_program_of_the_image(real: Containers) -> None:
    assert (await result(real, order(arguments=("--flag", "x"))))["stdout"] == "Hello from Docker!\n--flag x\n"


async def test_more_output_than_allowed_is_a_runtime_error(real: Containers) -> None:
    with pytest.raises(TaskFailed, match="wrote more than 10000 bytes"):
        await result(real, order(image="alpine", command="head -c 20000 /dev/zero | tr '\\0' x"))


async def test_a_container_that_is_not_allowed_is_refused_before_anything_is_asked(
    made: Cluster, tmp_path: Path
) -> None:
    refusing: list[Containers] = [
        Jobs(LIMITS, allowed=False, kubeconfig=made.kubeconfig),
        LocalContainers(SystemClock(), install(tmp_path), allowed=False, bounds=Bounds()),
    ]
    for containers in refusing:
        with pytest.raises(TaskFailed, match="LOWTIDE_ALLOW_CONTAINER=true") as refused:
            await containers.start(order())
        assert refused.value.error.status == 403
    assert not made.requests


# ---------------------------------------------------------------- Docker's command line alone


async def test_where_no_runtime_is_installed_that_is_a_configuration_error(tmp_path: Path) -> None:
    nowhere = LocalContainers(SystemClock(), {"PATH": str(tmp_path)}, allowed=True, bounds=Bounds())
    with pytest.raises(TaskFailed, match="Docker or Podman") as failed:
        await nowhere.start(order())
    assert failed.value.error.status == 400
    await nowhere.end("lowtide-never")


async def test_a_daemon_that_is_down_or_slow_is_asked_again_later(tmp_path: Path) -> None:
    containers = local(tmp_path)
    (tmp_path / "down").touch()
    for ask in (containers.start(order()), containers.look("x"), containers.logs("x"), containers.end("x")):
        with pytest.raises(Unavailable, match="Cannot connect"):
            await ask


async def test_an_image_that_nobody_gives_is_a_communication_error(tmp_path: Path) -> None:
    with pytest.raises(TaskFailed, match="pull access denied") as failed:
        await local(tmp_path).start(order(image="no/such"))
    assert failed.value.error.type.endswith("/communication")


async def test_an_image_that_does_not_come_in_time_is_a_communication_error(tmp_path: Path) -> None:
    containers = local(tmp_path, pull=0.2)
    await containers.look("warm")
    (tmp_path / "slow").touch()
    with pytest.raises(TaskFailed, match="was not there within"):
        await containers.start(order())


async def test_stdin_reaches_the_program_of_an_image_too(tmp_path: Path) -> None:
    containers = local(tmp_path)
    assert (await result(containers, order(image="cat", stdin="in", arguments=("x",))))["stdout"] == "inx\n"
    await containers.close()


async def test_values_of_variables_are_not_in_the_command_line(tmp_path: Path) -> None:
    containers, wanted = local(tmp_path), order(image="slow", environment={"TOKEN": "s3cret"}, name="pet")
    await containers.start(wanted)
    options = (tmp_path / "containers" / wanted.id / "made").read_text()
    assert "s3cret" not in options.partition('"options"')[2]
    assert '"--cap-drop": ["ALL"]' in options
    assert "dev.lowtide.name=pet" in options
    await containers.end(wanted.id)


async def test_what_was_to_be_removed_eventually_goes_when_the_next_one_starts(tmp_path: Path) -> None:
    containers = local(tmp_path)
    first = order("first", cleanup="eventually", after=1)
    await containers.start(first)
    await until_over(containers, first)
    kept = order("kept", cleanup="eventually", after=3_600_000)
    await containers.start(kept)
    await until_over(containers, kept)
    await containers.start(order("next"))
    assert (await containers.look(first.id)).phase == "gone"
    assert (await containers.look(kept.id)).phase == "ended"


# ---------------------------------------------------------------- Kubernetes alone


@pytest.fixture
async def jobs(made: Cluster) -> AsyncIterator[Jobs]:
    there = Jobs(LIMITS, allowed=True, kubeconfig=made.kubeconfig)
    yield there
    await there.close()


async def test_a_job_runs_as_nobody_with_nothing_but_what_it_was_given(jobs: Jobs, made: Cluster) -> None:
    wanted = order(
        image="slow",
        name="Hello World!",
        environment={"TOKEN": "s3cret"},
        ports={"8080": 80},
        volumes={"data": "/data"},
        pull="always",
        cleanup="eventually",
        after=60_000,
    )
    await jobs.start(wanted)
    job = made.jobs[wanted.id]
    assert "s3cret" not in str(job)
    assert job["spec"]["backoffLimit"] == 0
    assert job["spec"]["activeDeadlineSeconds"] == 30
    assert job["spec"]["ttlSecondsAfterFinished"] == 60 + 86_400
    pod = job["spec"]["template"]["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["name"] == "hello-world"
    assert container["imagePullPolicy"] == "Always"
    assert container["ports"] == [{"containerPort": 80}]
    assert container["resources"]["limits"] == {"memory": str(1 << 28), "cpu": "500m"}
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert pod["volumes"] == [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
    (owner,) = made.secrets[wanted.id]["metadata"]["ownerReferences"]
    assert owner["uid"] == job["metadata"]["uid"]
    await jobs.end(wanted.id)
    assert not made.jobs


async def test_a_crash_between_job_and_secret_is_mended_by_the_next_start(jobs: Jobs, made: Cluster) -> None:
    wanted = order(image="alpine", command="echo $A", environment={"A": "1"})
    await jobs.start(wanted)
    del made.secrets[wanted.id]
    await jobs.start(wanted)
    assert wanted.id in made.secrets
    await jobs.end(wanted.id)


async def test_where_the_cluster_mixes_the_streams_stdout_has_both(jobs: Jobs, made: Cluster) -> None:
    made.streams = False
    wanted = order(image="alpine", command="echo out; echo err >&2")
    assert await result(jobs, wanted) == {"code": 0, "stdout": "out\nerr\n", "stderr": ""}


async def test_stdin_without_a_command_cannot_be_given_to_a_job(jobs: Jobs, made: Cluster) -> None:
    with pytest.raises(TaskFailed, match="`stdin` needs `command`"):
        await jobs.start(order(stdin="in"))
    with pytest.raises(TaskFailed, match="they have more"):
        await jobs.start(order(command="cat", stdin="x" * 1_000_001))


async def test_the_end_of_its_time_is_seen_although_the_pod_is_gone(jobs: Jobs, made: Cluster) -> None:
    wanted = Order(id="late", execution="e", reference="/r", container=Container(image="slow"), seconds=0.3)
    await jobs.start(wanted)
    seen = await until_over(jobs, wanted)
    assert seen.phase == "late"
    with pytest.raises(TaskFailed, match="did not end within"):
        await conclude(jobs, wanted, seen)
    await jobs.end(wanted.id)


EVICTED = {"phase": "Failed", "reason": "Evicted", "message": "low on memory"}
KILLED = {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}
HOMELESS = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
CREATING = {"waiting": {"reason": "ContainerCreating"}}


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (EVICTED, Seen("gone", problem="Evicted: low on memory")),
        (
            {"phase": "Failed", "containerStatuses": [{"state": KILLED}]},
            Seen("ended", 137, "it needed more memory than it may have"),
        ),
        ({"phase": "Pending", "conditions": [HOMELESS]}, Seen("starting", problem="Unschedulable")),
        ({"phase": "Pending", "containerStatuses": [{"state": CREATING}]}, Seen("starting")),
    ],
)
async def test_what_happened_to_a_pod_is_understood(
    jobs: Jobs, made: Cluster, status: dict[str, Any], expected: Seen
) -> None:
    wanted = order(image="no/such")
    await jobs.start(wanted)
    async for attempt in eventually():
        with attempt:
            assert "ImagePullBackOff" in (await jobs.look(wanted.id)).problem
    made.pods[wanted.id]["status"] = status
    assert await jobs.look(wanted.id) == expected
    del made.pods[wanted.id]
    made.jobs[wanted.id]["status"] = {
        "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]
    }
    assert await jobs.look(wanted.id) == Seen("gone", problem="BackoffLimitExceeded")
    await jobs.end(wanted.id)


async def test_an_api_that_is_down_or_forbids_is_asked_again_and_one_that_refuses_is_not(
    jobs: Jobs, made: Cluster
) -> None:
    made.refuse = (403, "exceeded quota")
    with pytest.raises(Unavailable, match="exceeded quota"):
        await jobs.start(order())
    made.refuse = (422, "spec.template: Invalid value")
    with pytest.raises(TaskFailed, match="Invalid value") as failed:
        await jobs.start(order())
    assert failed.value.error.status == 400
    made.down = True
    for ask in (jobs.look("x"), jobs.logs("x"), jobs.end("x")):
        with pytest.raises(Unavailable, match="503"):
            await ask


async def test_without_a_cluster_around_it_nothing_is_asked() -> None:
    with pytest.raises(Unavailable, match="not configured"):
        await Jobs(LIMITS, allowed=True).look("x")
