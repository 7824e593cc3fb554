"""Alerts on a real process: what happened is written as ingest does, ticks are posted as a Trigger does, the Broker and
the webhooks are real HTTP servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
import pytest

from analytics_api.alerts.webhooks import signature
from tests.integration.analytics.reports import Reports, answering
from tests.peers import Peer, Request, peer

SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
FAULTS = {"measure": "ended", "status": ["faulted"], "condition": {"kind": "threshold", "above": 2, "resolve": 1}}


class Pager:
    """A receiver that checks what it is sent; ``status`` is what it answers, by path."""

    def __init__(self) -> None:
        self.status: dict[str, int] = {}
        self.heard: list[tuple[str, str, dict[str, Any]]] = []
        self._lock = threading.Lock()

    def take(self, request: Request) -> tuple[int, Any]:
        headers, body = request.headers, request.body
        expected = signature(SECRET, headers["webhook-id"], int(headers["webhook-timestamp"]), body)
        assert headers["webhook-signature"] == expected
        with self._lock:
            self.heard.append((request.path, headers["webhook-id"], json.loads(body)))
        return self.status.get(request.path, 204), b""

    def of(self, path: str) -> list[tuple[str, str]]:
        return [(identity, told["data"]["state"]) for where, identity, told in self.heard if where == path]


class Office:
    """The API of one namespace, the Broker and the pager beside it."""

    def __init__(self, name: str, api: httpx.Client, store: str, reports: Reports, broker: Peer, pager: Pager) -> None:
        self.name, self.api, self.store, self.reports = name, api, store, reports
        self.broker, self.pager = broker, pager
        self.known: dict[str, Any] = {}

    def put(self, rule: str, **members: Any) -> httpx.Response:
        return self.api.put(f"/v1/namespaces/{self.name}/alerts/rules/{rule}", json={**FAULTS, **members})

    def faults(self, count: int, **given: Any) -> None:
        now = datetime.now(UTC) - timedelta(seconds=5)
        self.reports.rollup("executions.faulted", now, [1.0] * count, namespace=self.name, **given)

    def clear(self) -> None:
        """Nothing has happened."""
        self.sql("DELETE FROM rollups_minute WHERE namespace = %s", self.name)

    def sql(self, statement: str, *values: Any) -> list[Any]:
        with psycopg.connect(self.store, autocommit=True) as connection:
            cursor = connection.execute(statement.encode(), values)
            return cursor.fetchall() if cursor.description else []

    def later(self) -> None:
        """All rules are due, as after a minute; what is to be told again is due as well."""
        self.sql(
            "UPDATE alert_rules SET due_at = clock_timestamp(), looked_at = looked_at - interval '60 s' "
            "WHERE namespace = %s",
            self.name,
        )
        self.sql("UPDATE alert_deliveries SET next_at = clock_timestamp() WHERE state = 'waiting'")

    def tick(self) -> httpx.Response:
        headers = {"ce-specversion": "1.0", "ce-type": "dev.lowtide.alert.tick.v1", "ce-source": "/t", "ce-id": "1"}
        answer = self.api.post("/alerts/ticks", json=self.known, headers=headers)
        assert answer.status_code in (200, 202), answer.text
        if answer.content:
            self.known = answer.json()
        return answer

    def alerts(self, **query: Any) -> list[dict[str, Any]]:
        answer = self.api.get(f"/v1/namespaces/{self.name}/alerts", params=query)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    def alert(self, identity: str) -> dict[str, Any]:
        return dict(self.api.get(f"/v1/namespaces/{self.name}/alerts/{identity}").json())

    def events(self) -> list[Request]:
        mine = [request for request in self.broker.requests if request.headers.get("ce-lowtidenamespace") == self.name]
        return [request for request in mine if request.headers["ce-type"].startswith("dev.lowtide.alert.")]

    def told(self) -> list[str]:
        return [request.headers["ce-type"].split(".")[-2] for request in self.events()]


@pytest.fixture(scope="module")
def broker() -> Iterator[Peer]:
    with peer(lambda request: (202, b"")) as made:
        yield made


@pytest.fixture(scope="module")
def pager() -> Pager:
    return Pager()


@pytest.fixture(scope="module")
def pager_url(pager: Pager) -> Iterator[str]:
    with peer(pager.take) as made:
        yield made.url


@pytest.fixture(scope="module")
def alerting(store_url: str, broker: Peer) -> Iterator[httpx.Client]:
    told = {"LOWTIDE_BROKER_URL": broker.url, "LOWTIDE_ALLOW_LOOPBACK": "true", "LOWTIDE_ALERT_DELAY": "0"}
    with answering(store_url, **told) as client:
        yield client


@pytest.fixture
def office(
    request: pytest.FixtureRequest, alerting: httpx.Client, store_url: str, reports: Reports, broker: Peer, pager: Pager
) -> Iterator[Office]:
    made = Office(request.node.name.removeprefix("test_")[:60], alerting, store_url, reports, broker, pager)
    yield made
    made.sql("DELETE FROM alert_rules")
    made.sql("DELETE FROM alert_deliveries")


def test_a_value_past_its_limit_is_told_of_once_and_its_end_once(office: Office) -> None:
    assert office.put("faults").status_code == 201
    office.faults(3)
    for _ in range(3):
        office.tick()
        office.later()
    assert office.told() == ["fired"]
    (event,) = office.events()
    assert event.headers["ce-source"] == f"/lowtide/{office.name}/alerts/faults"
    data = event.json
    assert (data["rule"], data["value"], data["window"], data["why"]) == ("faults", 3.0, "PT5M", "3 is above 2")
    (alert,) = office.alerts(state="firing")
    assert event.headers["ce-id"] == f"{alert['id']}:fired"
    office.clear()
    office.faults(2)
    office.tick()
    assert office.told() == ["fired"], "2 is not above the limit, but not back at 1 either"
    office.clear()
    for _ in range(2):
        office.later()
        office.tick()
    assert office.told() == ["fired", "resolved"]
    (alert,) = office.alerts()
    assert alert["state"] == "resolved"
    assert [told["state"] for told in office.alert(alert["id"])["deliveries"]] == ["delivered", "delivered"]


def test_many_ticks_at_once_are_one_decision(office: Office) -> None:
    office.put("faults", by=["workflow"])
    for workflow in ("a", "b"):
        office.faults(4, workflow=workflow)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: office.tick(), range(8)))
    assert sorted(request.json["group"]["workflow"] for request in office.events()) == ["a", "b"]
    assert office.told() == ["fired", "fired"]


def test_a_webhook_is_signed_and_told_again_with_the_same_id_until_it_takes_it(office: Office, pager_url: str) -> None:
    path = "/again"
    office.pager.status[path] = 500
    webhooks = [{"url": pager_url + path, "secret": SECRET}]
    assert SECRET not in office.put("faults", webhooks=webhooks, event=False).text
    office.faults(3)
    office.tick()
    office.clear()
    office.later()
    office.tick()
    (alert,) = office.alerts()
    assert alert["state"] == "resolved"
    first, second = office.alert(alert["id"])["deliveries"]
    assert (first["state"], first["attempts"], first["problem"]) == ("waiting", 2, "it answered 500")
    assert (second["state"], second["attempts"]) == ("waiting", 0), "its end waits for its beginning"
    office.pager.status[path] = 204
    office.later()
    office.tick()
    fired, resolved = f"{alert['id']}:fired", f"{alert['id']}:resolved"
    assert office.pager.of(path) == [*[(fired, "firing")] * 3, (resolved, "resolved")]
    assert office.told() == [], "by the webhook alone"
    shown = office.api.get(f"/v1/namespaces/{office.name}/alerts/rules/faults")
    assert shown.json()["signed"] == [pager_url + path]
    assert SECRET not in shown.text
    kept = shown.json()["rule"]
    assert office.api.put(f"/v1/namespaces/{office.name}/alerts/rules/faults", json=kept).status_code == 200


def test_a_receiver_that_never_takes_it_is_given_up_with_the_reason(office: Office, pager_url: str) -> None:
    office.pager.status["/never"] = 503
    office.pager.status["/gone"] = 410
    paths = ("/never", "/gone")
    office.put("faults", webhooks=[{"url": pager_url + path, "secret": SECRET} for path in paths], event=False)
    office.faults(3)
    office.tick()
    office.sql("UPDATE alert_deliveries SET give_up_at = clock_timestamp()")
    office.later()
    office.tick()
    (alert,) = office.alerts()
    problems = {told["to"]: (told["state"], told["problem"]) for told in office.alert(alert["id"])["deliveries"]}
    assert problems[pager_url + "/gone"] == ("failed", "it answered 410: it wants no more of this")
    state, problem = problems[pager_url + "/never"]
    assert (state, problem.startswith("given up after 2 attempts")) == ("failed", True)


def test_an_address_that_nobody_may_reach_is_not_told(office: Office) -> None:
    office.put("faults", webhooks=[{"url": "http://169.254.169.254/latest", "secret": SECRET}], event=False)
    office.faults(3)
    office.tick()
    (alert,) = office.alerts()
    (told,) = office.alert(alert["id"])["deliveries"]
    assert told["state"] == "failed"
    assert "may not reach 169.254.169.254" in told["problem"]


def test_it_must_be_bad_for_as_long_as_the_rule_says(office: Office) -> None:
    office.put("faults", **{"for": "PT90S"})
    office.faults(3)
    office.tick()
    assert [alert["state"] for alert in office.alerts()] == ["pending"]
    for _ in range(2):
        office.sql(
            "UPDATE alert_states "
            "SET memory = jsonb_set(memory, '{since}', to_jsonb((memory ->> 'since')::bigint - 60000)) "
            "WHERE namespace = %s",
            office.name,
        )
        office.later()
        office.tick()
    assert office.told() == ["fired"]


def test_what_is_pending_and_gets_well_leaves_nothing_behind(office: Office) -> None:
    office.put("faults", **{"for": "PT90S"})
    office.faults(3)
    office.tick()
    office.clear()
    office.later()
    office.tick()
    assert office.alerts() == []


def test_absence_is_noticed_and_over_with_the_first_that_completes(office: Office) -> None:
    office.put("reports", status=["completed"], condition={"kind": "absence"}, window="PT1H")
    office.tick()
    assert office.events()[0].json["why"] == "nothing in the last PT1H"
    office.reports.rollup("executions.completed", datetime.now(UTC), [1.0], namespace=office.name)
    office.later()
    office.tick()
    assert office.told() == ["fired", "resolved"]


def test_a_budget_that_burns_too_fast_fires(office: Office) -> None:
    office.put("objective", status=[], condition={"kind": "burnRate", "objective": 0.99, "least": 10})
    office.reports.rollup("executions.completed", datetime.now(UTC), [1.0] * 100, namespace=office.name)
    office.tick()
    assert office.told() == []
    office.faults(30)
    office.later()
    office.tick()
    assert "burns 23.1 times as fast as allowed over PT6H" in office.events()[0].json["why"]


def test_a_silenced_alert_is_seen_and_told_of_when_the_silence_ends(office: Office) -> None:
    silences = f"/v1/namespaces/{office.name}/alerts/silences"
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    given = {"rule": "faults", "group": {"workflow": "a"}, "until": until, "reason": "a test", "by": "ann"}
    silence = office.api.post(silences, json=given)
    assert silence.status_code == 201, silence.text
    office.put("faults", by=["workflow"])
    office.put("of-a", workflow="a")
    silences_all = {**given, "rule": None}
    assert office.api.post(silences, json=silences_all).status_code == 201
    for workflow in ("a", "b"):
        office.faults(3, workflow=workflow)
    office.tick()
    assert [request.json["group"] for request in office.events()] == [{"workflow": "b"}]
    silenced = next(alert for alert in office.alerts() if alert["group"] == {"workflow": "a"})
    assert (silenced["state"], silenced["toldAt"]) == ("firing", None)
    for one in office.api.get(silences).json()["items"]:
        assert (one["reason"], one["by"]) == ("a test", "ann")
        assert office.api.delete(f"{silences}/{one['id']}").status_code == 204
    office.later()
    office.tick()
    told = sorted((request.json["rule"], request.json["group"].get("workflow")) for request in office.events())
    assert told == [("faults", "a"), ("faults", "b"), ("of-a", None)]


def test_an_alert_is_acknowledged_by_the_first_who_says_so(office: Office) -> None:
    office.put("faults")
    office.faults(3)
    office.tick()
    (alert,) = office.alerts()
    path = f"/v1/namespaces/{office.name}/alerts/{alert['id']}/acknowledge"
    for by in ("ann", "bob"):
        assert office.api.post(path, json={"by": by, "note": "on it"}).json()["acknowledgedBy"] == "ann"
    assert (office.alerts()[0]["acknowledgedBy"], office.alerts()[0]["note"]) == ("ann", "on it")


def test_a_rule_that_is_changed_or_deleted_ends_what_fired_by_it(office: Office) -> None:
    office.put("faults")
    office.faults(3)
    office.tick()
    office.put("faults", description="only other words")
    office.tick()
    assert office.told() == ["fired"]
    office.put("faults", window="PT10M")
    office.tick()
    assert office.told() == ["fired", "resolved", "fired"]
    path = f"/v1/namespaces/{office.name}/alerts/rules/faults"
    assert office.api.delete(path).status_code == 204
    office.tick()
    assert office.told() == ["fired", "resolved", "fired", "resolved"]
    assert office.events()[-1].json["why"] == "the rule was deleted"
    assert office.api.get(path).status_code == 404


def test_orchestrate_is_told_how_often_to_ask(office: Office) -> None:
    office.put("faults", every="PT5M")
    office.put("often", every="PT30S")
    watches = [
        request for request in office.broker.requests if request.headers["ce-type"] == "dev.lowtide.alert.watch.v1"
    ]
    first, second = (request.json for request in watches[-2:])
    assert (first["every"], second["every"]) == (300_000, 30_000)
    assert second["revision"] > first["revision"]
    office.known = {}
    answer = office.tick()
    assert (answer.status_code, answer.headers["ce-type"]) == (200, "dev.lowtide.alert.watch.v1")
    assert office.known == second
    assert office.tick().status_code == 202
    office.sql("DELETE FROM alert_rules")
    office.tick()
    assert "every" not in office.known


def test_a_rule_says_what_it_would_have_said(office: Office) -> None:
    noon = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=2)
    office.reports.rollup("executions.faulted", noon, [1.0] * 5, namespace=office.name)
    span = {"from": (noon - timedelta(minutes=5)).isoformat(), "to": (noon + timedelta(minutes=15)).isoformat()}
    answer = office.api.post(f"/v1/namespaces/{office.name}/alerts/test", json={"rule": FAULTS, **span})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert said["looks"] == 21
    assert [one["changes"] for one in said["items"]] == [["begun", "fired", "told"], ["resolved"], []]
    assert said["items"][0]["value"] == 5.0
    day = {"rule": {**FAULTS, "for": "PT2M", "window": "PT1H"}, "from": (noon - timedelta(hours=22)).isoformat()}
    said = office.api.post(f"/v1/namespaces/{office.name}/alerts/test", json=day).json()
    assert [one["changes"] for one in said["items"][:2]] == [["begun"], ["fired", "told"]]
    assert said["looks"] <= 120
    assert office.alerts() == []


@pytest.mark.parametrize(
    ("members", "says"),
    [
        ({"condition": {"kind": "threshold"}}, "give `above` or `below`"),
        ({"condition": {"kind": "threshold", "above": 1, "resolve": 2}}, "good side of the limit"),
        ({"measure": "cost", "status": [], "value": "p95"}, "has no percentiles"),
        ({"value": "successRate"}, "of all statuses together"),
        ({"window": "PT1S"}, "from PT1M to P31D"),
        ({"windw": "PT5M"}, "Extra inputs"),
        ({"webhooks": [{"url": "https://pager.example.com/x"}]}, "needs a `secret`"),
        ({"webhooks": [{"url": "https://pager.example.com/x", "secret": "whsec_short"}]}, "whsec_ and the base64"),
        ({"webhooks": [{"url": "ftp://pager.example.com/x", "secret": SECRET}]}, "an http or https URL"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused_with_the_mend(
    office: Office, members: dict[str, Any], says: str
) -> None:
    answer = office.put("wrong", **members)
    assert answer.status_code == 400
    assert says in answer.json()["detail"]


def test_a_rule_of_a_megabyte_is_refused_before_it_is_read(office: Office) -> None:
    answer = office.put("large", description="a" * 1_000_000)
    assert (answer.status_code, answer.json()["code"]) == (413, "input.too_large")
