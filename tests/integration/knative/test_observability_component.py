"""The optional component for Prometheus and Grafana: what it reads exists, and what it asks for is told."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.knative.rendering import ROOT, named, of_kind, overlay_with

_COMPONENT = ROOT / "knative/components/observability"
_MEASURE = re.compile(r"\blowtide_\w+")
_RECORDED = re.compile(r"\blowtide:\w+(?::\w+)*")
_PARTS = re.compile(r"_(bucket|sum|count)$")
_QUOTED = re.compile(r'"[^"]*"')


def documented() -> set[str]:
    """What each deployable exposes is held against this page by a test of real processes."""
    page = (ROOT / "docs/observability.md").read_text()
    return set(re.findall(r"^\| `(lowtide_\w+)` \|", page, re.MULTILINE))


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((_COMPONENT / "rules.yaml").read_text())["spec"]["groups"]
    return [rule for group in groups for rule in group["rules"]]


def questions() -> Iterator[str]:
    """Every expression of rules and dashboard."""
    yield from (rule["expr"] for rule in rules())
    dashboard = json.loads((_COMPONENT / "dashboard.json").read_text())
    yield from (target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ()))


@pytest.fixture
def root(tmp_path: Path) -> str:
    return overlay_with("observability", tmp_path)


def test_every_metric_that_rules_and_dashboard_ask_for_is_one_of_ours() -> None:
    asked = {_PARTS.sub("", name) for text in questions() for name in _MEASURE.findall(text)}
    assert len(asked) > 30
    assert not asked - documented()


def test_every_series_that_is_asked_for_by_its_recorded_name_is_recorded() -> None:
    recorded = {rule["record"] for rule in rules() if "record" in rule}
    asked = {name for text in questions() for name in _RECORDED.findall(text)}
    assert asked <= recorded
    assert all(_RECORDED.fullmatch(name) for name in recorded)


def test_every_metric_is_on_the_dashboard_or_in_a_rule() -> None:
    asked = {_PARTS.sub("", name) for text in questions() for name in _MEASURE.findall(text)}
    unseen = {"lowtide_spans_sent_total", "lowtide_report_streams_total", "lowtide_questions_failed_total"}
    assert documented() - asked <= unseen


def test_a_histogram_is_asked_for_by_its_buckets_and_a_counter_by_its_rate() -> None:
    for text in questions():
        assert not re.search(r"\b(?:rate|increase)\(lowtide_\w+(?<!_total)(?<!_bucket)[\[{]", text), text
        assert not re.search(r"(?<!\()\blowtide_\w+_total\b", text), text


def test_expressions_close_what_they_open() -> None:
    for text in questions():
        bare = _QUOTED.sub("", text)
        assert all(bare.count(one) == bare.count(other) for one, other in ("()", "[]", "{}")), text


def test_every_alert_says_how_bad_it_is_what_it_means_and_what_to_do() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len({rule["alert"] for rule in alerts}) == len(alerts)
    for rule in alerts:
        assert rule["labels"]["severity"] in ("critical", "warning", "info"), rule["alert"]
        assert {"summary", "description"} <= set(rule["annotations"]), rule["alert"]


def test_panels_of_the_dashboard_have_their_own_place_and_number() -> None:
    panels = json.loads((_COMPONENT / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_each_function_gets_the_port_that_the_monitor_reads(root: str) -> None:
    port = named(root, "ConfigMap", "lowtide")["data"]["LOWTIDE_METRICS_PORT"]
    services = of_kind(root, "Service", "serving.knative.dev/")
    (monitor,) = of_kind(root, "PodMonitor")
    (which,) = monitor["spec"]["selector"]["matchExpressions"]
    assert set(which["values"]) == {service["metadata"]["name"] for service in services}
    for service in services:
        (container,) = service["spec"]["template"]["spec"]["containers"]
        assert {"configMapRef": {"name": "lowtide"}} in container["envFrom"], service["metadata"]["name"]
        assert [one["containerPort"] for one in container["ports"]] != [int(port)]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    addresses = [one["replacement"] for one in endpoint["relabelings"] if one.get("targetLabel") == "__address__"]
    assert addresses == [f"[$1]:{port}", f"$1:{port}"]


def test_the_dashboard_is_where_grafana_looks_for_it(root: str) -> None:
    found = named(root, "ConfigMap", "lowtide-dashboard")
    assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert json.loads(found["data"]["dashboard.json"])["title"] == "Lowtide"
