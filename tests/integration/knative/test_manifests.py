"""The manifests render, fit the kinds that Knative defines, agree with the code and with each other."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator

from knative.render import TARGET, render
from lowtide.settings import (
    AnalyticsSettings,
    ExecuteSettings,
    IngestSettings,
    MigrateSettings,
    OrchestrateSettings,
)
from lowtide.wire.triggers import DEAD_LETTER_PATH, TICK_PATH
from tests.integration.knative.crds import FOLDER, Kind, schemas
from tests.integration.knative.rendering import DEMO, LOCAL, ROOT, ROOTS, named, objects, of_kind

_SERVING = "serving.knative.dev/"
_SETTINGS: dict[str, Any] = {
    "execute": ExecuteSettings,
    "ingest": IngestSettings,
    "orchestrate": OrchestrateSettings,
    "analytics": AnalyticsSettings,
}
_CORE = {"v1", "apps/v1", "batch/v1"}

_each_root = pytest.mark.parametrize("root", ROOTS)


@pytest.fixture(scope="module")
def kinds() -> dict[Kind, dict[str, Any]]:
    if not FOLDER.is_dir():
        pytest.skip(f"there is no {FOLDER}: put Knative's CRDs there, or name their folder in LOWTIDE_KNATIVE_CRDS")
    return schemas()


@_each_root
def test_every_object_of_knative_fits_its_definition(root: str, kinds: dict[Kind, dict[str, Any]]) -> None:
    checked = 0
    for found in objects(root):
        if found["apiVersion"] in _CORE:
            continue
        schema = kinds[found["apiVersion"], found["kind"]]
        mistakes = [f"{error.json_path}: {error.message}" for error in Draft202012Validator(schema).iter_errors(found)]
        assert not mistakes, f"{found['kind']} {found['metadata']['name']}: {mistakes}"
        checked += 1
    assert checked >= 11


def test_the_check_refuses_a_field_that_knative_does_not_know(kinds: dict[Kind, dict[str, Any]]) -> None:
    service = {"apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": {"name": "x"}}
    validator = Draft202012Validator(kinds["serving.knative.dev/v1", "Service"])
    containers = [{"image": "x", "readinesProbe": {}}]
    wrong = {**service, "spec": {"template": {"spec": {"containers": containers, "timeoutSeconds": "300"}}}}
    said = " ".join(error.message for error in validator.iter_errors(wrong))
    assert "readinesProbe" in said
    assert "'300' is not of type 'integer'" in said


@_each_root
def test_every_object_has_a_namespace_a_label_and_a_name_of_its_own(root: str) -> None:
    names = [(found["apiVersion"], found["kind"], found["metadata"]["name"]) for found in objects(root)]
    assert len(names) == len(set(names))
    for found in objects(root):
        if found["kind"] != "Namespace":
            assert found["metadata"]["namespace"] == "lowtide"
    assert all(
        found["metadata"]["labels"]["app.kubernetes.io/part-of"] == "lowtide"
        for found in of_kind(root, "Service", _SERVING)
    )


def test_the_triggers_are_those_that_the_code_names() -> None:
    assert TARGET.read_text() == render(), "run make manifests"


@_each_root
def test_whatever_is_referred_to_exists(root: str) -> None:
    here = {(found["apiVersion"], found["kind"], found["metadata"]["name"]) for found in objects(root)}
    for ref in _references(list(objects(root))):
        assert (ref["apiVersion"], ref["kind"], ref["name"]) in here, ref
    for trigger in of_kind(root, "Trigger"):
        assert ("eventing.knative.dev/v1", "Broker", trigger["spec"]["broker"]) in here
    accounts = {found["metadata"]["name"] for found in of_kind(root, "ServiceAccount")}
    for found in (*of_kind(root, "Service", _SERVING), *of_kind(root, "Job")):
        assert found["spec"]["template"]["spec"]["serviceAccountName"] in accounts


def _references(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, dict):
        if "ref" in value:
            yield value["ref"]
        for member in value.values():
            yield from _references(member)
    elif isinstance(value, list):
        for member in value:
            yield from _references(member)


@_each_root
def test_the_asynchronous_channel_is_there_before_its_broker(root: str) -> None:
    (broker,) = of_kind(root, "Broker")
    channel = named(root, "InMemoryChannel", f"{broker['metadata']['name']}-kne-trigger")
    assert channel["metadata"]["annotations"] == {"messaging.knative.dev/async-handler": "true"}
    order = [found["kind"] for found in objects(root)]
    assert order.index("InMemoryChannel") < order.index("Broker") < order.index("Trigger")
    delivery = broker["spec"]["delivery"]
    assert (delivery["backoffPolicy"], "timeout" in delivery) == ("exponential", False)
    assert delivery["deadLetterSink"]["uri"] == DEAD_LETTER_PATH


@_each_root
def test_what_is_needed_comes_before_what_needs_it(root: str) -> None:
    order = [found["kind"] for found in objects(root)]
    assert order[0] == "Namespace"
    for kind in {"ServiceAccount", "ConfigMap", "Secret", "StatefulSet"} & set(order):
        last = len(order) - 1 - order[::-1].index(kind)
        assert last < order.index("Job") < order.index("Service"), kind


@_each_root
def test_a_tick_reaches_orchestrate_each_minute_without_the_broker(root: str) -> None:
    (tick,) = of_kind(root, "PingSource")
    assert tick["spec"]["schedule"] == "* * * * *"
    assert (tick["spec"]["sink"]["ref"]["name"], tick["spec"]["sink"]["uri"]) == ("orchestrate", TICK_PATH)


@_each_root
@pytest.mark.parametrize("name", sorted(_SETTINGS))
def test_a_function_rests_at_zero_and_runs_without_rights(root: str, name: str) -> None:
    service = named(root, "Service", name, _SERVING)
    template = service["spec"]["template"]
    annotations, spec = template["metadata"]["annotations"], template["spec"]
    assert annotations["autoscaling.knative.dev/min-scale"] == "0"
    # A tick comes every minute: with a window of a minute or more nothing would ever reach zero.
    assert annotations["autoscaling.knative.dev/window"] == "10s"
    assert spec["automountServiceAccountToken"] is False
    (container,) = spec["containers"]
    security = container["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["allowPrivilegeEscalation"] is False
    assert {"requests", "limits"} <= container["resources"].keys()
    probe = {"ingest": "grpc"}.get(name, "httpGet")
    assert probe in container["readinessProbe"]
    assert probe in container["livenessProbe"]
    # Knative repeats a probe without a period as fast as it can, and refuses any other number beside it.
    assert container["readinessProbe"].keys() == {probe}
    hidden = service["metadata"]["labels"].get("networking.knative.dev/visibility") == "cluster-local"
    assert hidden == (name in {"execute", "ingest"})


@_each_root
def test_requests_may_last_as_long_as_the_work_behind_them(root: str) -> None:
    def spec(name: str) -> Any:
        return named(root, "Service", name, _SERVING)["spec"]["template"]["spec"]

    defaults = {name: _defaults(settings) for name, settings in _SETTINGS.items()}
    assert spec("execute")["timeoutSeconds"] > defaults["orchestrate"]["budget"]
    assert spec("ingest")["timeoutSeconds"] > defaults["ingest"]["stream_lifetime"]
    assert spec("orchestrate")["timeoutSeconds"] > defaults["orchestrate"]["tick_horizon"]
    assert spec("analytics")["timeoutSeconds"] > defaults["analytics"]["statement_timeout"]
    assert max(spec(name)["timeoutSeconds"] for name in _SETTINGS) <= 600, "the stock ceiling of Knative"
    (port,) = spec("ingest")["containers"][0]["ports"]
    assert (port["name"], spec("ingest")["containerConcurrency"]) == ("h2c", 0)


@_each_root
def test_all_processes_together_stay_within_fifty_connections(root: str) -> None:
    def most(name: str) -> int:
        annotations = named(root, "Service", name, _SERVING)["spec"]["template"]["metadata"]["annotations"]
        return int(annotations["autoscaling.knative.dev/max-scale"])

    ingest, orchestrate, analytics = (_defaults(_SETTINGS[name]) for name in ("ingest", "orchestrate", "analytics"))
    connections = (
        most("ingest") * (ingest["journal_connections"] + ingest["analytics_connections"])
        + most("orchestrate") * orchestrate["connections"]
        + most("analytics") * (analytics["connections"] + analytics["analysts_connections"])
    )
    assert connections <= 50


def _defaults(settings: Any) -> dict[str, Any]:
    return {field.name: field.default for field in msgspec.structs.fields(settings)}


@pytest.mark.parametrize("name", sorted(_SETTINGS))
def test_a_function_is_told_what_its_settings_need_and_no_other_secret(name: str) -> None:
    (container,) = named(LOCAL, "Service", name, _SERVING)["spec"]["template"]["spec"]["containers"]
    told = _environment(LOCAL, container)
    settings = _SETTINGS[name].from_environment(told)  # raises where something is missing
    fields = {f"LOWTIDE_{field.name.upper()}" for field in msgspec.structs.fields(settings)}
    assert {entry["name"] for entry in container["env"]} <= fields


@pytest.mark.parametrize("store", ["control", "journal", "analytics"])
def test_a_migration_is_told_its_own_store_alone(store: str) -> None:
    job = named(LOCAL, "Job", f"migrate-{store}")
    (container,) = job["spec"]["template"]["spec"]["containers"]
    told = msgspec.structs.asdict(MigrateSettings.from_environment(_environment(LOCAL, container)))
    own = [f"{store}_url", *(["analysts_url"] if store == "analytics" else [])]
    assert [name for name, url in told.items() if url] == own
    assert told[f"{store}_url"].endswith(f"/lowtide_{store}")
    databases = named(LOCAL, "ConfigMap", "postgres-databases")["data"]["databases.sql"]
    assert f"CREATE DATABASE lowtide_{store};" in databases


def _environment(root: str, container: dict[str, Any]) -> dict[str, str]:
    """What the container's process would find in its environment."""
    told: dict[str, str] = {"PORT": "8080"}
    for source in container.get("envFrom", []):
        told |= named(root, "ConfigMap", source["configMapRef"]["name"])["data"]
    for entry in container["env"]:
        reference = entry["valueFrom"]["secretKeyRef"]
        told[entry["name"]] = _secret(root, reference["name"])[reference["key"]]
    return told


def _secret(root: str, name: str) -> dict[str, str]:
    found = named(root, "Secret", name)
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


@pytest.mark.parametrize("root", [LOCAL, DEMO])
def test_the_local_overlay_uses_images_that_need_no_registry(root: str) -> None:
    for found in (*of_kind(root, "Service", _SERVING), *of_kind(root, "Job"), *of_kind(root, "Deployment")):
        (container,) = found["spec"]["template"]["spec"]["containers"]
        assert container["image"].startswith("dev.local/lowtide-")
        assert container["image"].endswith(":dev")
        assert container["imagePullPolicy"] == "IfNotPresent"


def test_the_demo_brings_its_step_into_execute_and_its_shop_beside_it() -> None:
    spec = named(DEMO, "Service", "execute", _SERVING)["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    told = {entry["name"]: entry.get("value") for entry in container["env"]}
    assert told == {"LOWTIDE_KEY": None, "LOWTIDE_STEPS": "steps", "PYTHONPATH": "/example"}
    (shop,) = named(DEMO, "Deployment", "shop")["spec"]["template"]["spec"]["containers"]
    for volume, mounted in zip(spec["volumes"], container["volumeMounts"], strict=True):
        assert mounted == {"name": volume["name"], "mountPath": "/example", "readOnly": True}
        files = named(DEMO, "ConfigMap", volume["configMap"]["name"])["data"]
        for name in (f"{told['LOWTIDE_STEPS']}.py", Path(shop["command"][1]).name):
            assert files[name] == (ROOT / DEMO / name).read_text()
    (service,) = [found for found in of_kind(DEMO, "Service", "v1") if found["metadata"]["name"] == "shop"]
    assert str(service["spec"]["ports"][0]["targetPort"]) in shop["command"]
