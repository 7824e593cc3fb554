"""The optional component for `run: container`: rights that fit what the adapter asks of the API, and no others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from functions.orchestrate.containers.job import Limits
from functions.orchestrate.containers.kubernetes import Jobs
from lowtide.model.command import Container
from lowtide.model.container import Order
from lowtide.settings import OrchestrateSettings
from tests.eventually import eventually
from tests.integration.knative.rendering import named, objects, of_kind, overlay_with
from tests.standins.kubernetes import cluster

_SERVING = "serving.knative.dev/"
_OURS = "lowtide-containers"


@pytest.fixture
def root(tmp_path: Path) -> str:
    return overlay_with("containers", tmp_path)


def test_orchestrate_alone_is_told_to_run_containers_and_given_a_token(root: str) -> None:
    spec = named(root, "Service", "orchestrate", _SERVING)["spec"]["template"]["spec"]
    assert spec["automountServiceAccountToken"] is True
    told = {entry["name"]: entry.get("value", "secret") for entry in spec["containers"][0]["env"]}
    shared = named(root, "ConfigMap", "lowtide")["data"]
    settings = OrchestrateSettings.from_environment({**shared, **told})
    assert (settings.allow_container, settings.containers, settings.container_namespace) == (True, "kubernetes", _OURS)
    for name in ("execute", "ingest", "analytics"):
        assert (
            named(root, "Service", name, _SERVING)["spec"]["template"]["spec"]["automountServiceAccountToken"] is False
        )


def test_without_the_component_nobody_has_rights() -> None:
    kinds = {found["kind"] for found in objects("knative/base")}
    assert not kinds & {"Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"}


def test_the_rights_are_bound_to_orchestrate_in_the_namespace_of_containers(root: str) -> None:
    (role,), (binding,) = of_kind(root, "Role"), of_kind(root, "RoleBinding")
    assert role["metadata"]["namespace"] == binding["metadata"]["namespace"] == _OURS
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "orchestrate", "namespace": "lowtide"}]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert not of_kind(root, "ClusterRole")


@pytest.mark.anyio
async def test_the_rights_are_those_that_the_adapter_uses(root: str) -> None:
    limits = Limits(namespace=_OURS, memory=1 << 28, cpus=0.5, user=65532, output=1000)
    made = Container(image="alpine", command="cat", stdin="x")
    order = Order(id="one", execution="e", reference="/r", container=made, seconds=30)
    async with cluster() as there:
        jobs = Jobs(limits, allowed=True, kubeconfig=there.kubeconfig)
        await jobs.start(order)
        await jobs.start(order)
        async for attempt in eventually():
            with attempt:
                assert (await jobs.look(order.id)).phase == "ended"
        await jobs.logs(order.id)
        await jobs.end(order.id)
        await jobs.close()
        used = {_right(request) for request in there.requests}
    (role,) = of_kind(root, "Role")
    assert used == set(_granted(role))


def _granted(role: dict[str, Any]) -> list[tuple[str, str]]:
    return [(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]]


def _right(request: str) -> tuple[str, str]:
    """`POST /api/v1/namespaces/ns/secrets` -> ("secrets", "create")."""
    method, _, path = request.partition(" ")
    assert f"/namespaces/{_OURS}/" in path
    resource, *rest = path.partition(f"/namespaces/{_OURS}/")[2].split("/")
    if len(rest) == 2:
        resource = f"{resource}/{rest[1]}"
    verbs = {"POST": "create", "DELETE": "delete", "GET": "get" if rest else "list"}
    return resource, verbs[method]


def test_containers_are_restricted_and_reach_neither_the_cluster_nor_the_machine(root: str) -> None:
    labels = named(root, "Namespace", _OURS)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    policy = named(root, "NetworkPolicy", "containers")["spec"]
    assert (policy["podSelector"], policy.get("ingress")) == ({}, None)
    assert "169.254.0.0/16" in policy["egress"][1]["to"][0]["ipBlock"]["except"]
