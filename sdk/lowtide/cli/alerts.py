"""``lowtide alerts``: rules, what they found, who looks after it, when to keep quiet."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeVar

import typer

from lowtide.cli import exits, given
from lowtide.cli.server import DEFAULT_SERVER, Namespace, Server, analytics_of
from lowtide.cli.shown import examples, show_json, show_page
from lowtide.errors import InvalidInput
from lowtide.model.base import JSON

if TYPE_CHECKING:
    from lowtide.clients.alerts import Alerts

__all__ = ["alerts"]

T = TypeVar("T")

alerts: Final = typer.Typer(
    help="Look at alerts and their rules; apply rules, acknowledge, silence.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

_Alert = Annotated[str, typer.Argument(metavar="ID", help="The alert's id.")]
_Rule = Annotated[str, typer.Argument(metavar="NAME", help="The rule's name.")]
_By = Annotated[str, typer.Option("--by", metavar="NAME", envvar="LOWTIDE_USER", help="Who does it.")]
_Json = Annotated[bool, typer.Option("--json", help="Print the server's JSON.")]
_Limit = Annotated[int, typer.Option(min=1, max=200, help="At most so many.")]
_Cursor = Annotated[str | None, typer.Option(help="Go on where the last page ended.")]
_Since = Annotated[str | None, typer.Option("--from", metavar="MOMENT", help="Since then, instead of now.")]
_Until = Annotated[str | None, typer.Option("--to", metavar="MOMENT", help="Until then. Default: now.")]


def _ask(server: str, question: Callable[[Alerts], Awaitable[T]]) -> T:
    from lowtide.clients.alerts import Alerts

    async def asked() -> T:
        async with Alerts(analytics_of(server)) as api:
            return await question(api)

    return asyncio.run(asked())


@alerts.command(
    "list", epilog=examples("lowtide alerts list --state firing", "lowtide alerts list --rule orders-fault")
)
def list_(
    state: Annotated[
        list[str] | None, typer.Option(metavar="STATE", help="pending, firing or resolved; may be repeated.")
    ] = None,
    rule: Annotated[str | None, typer.Option(metavar="NAME", help="Of this rule.")] = None,
    limit: _Limit = 20,
    cursor: _Cursor = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """List alerts, newest first: those that are pending or fire, and those that are over."""
    wanted = [one for one in state or [] if one]
    if unknown := set(wanted) - {"pending", "firing", "resolved"}:
        raise InvalidInput(f"--state {sorted(unknown)[0]}: write pending, firing or resolved")
    page = _ask(server, lambda api: api.page(namespace, rule=rule, states=wanted, limit=limit, cursor=cursor))
    columns: dict[str, Any] = {
        "ID": "id",
        "RULE": "rule",
        "GROUP": lambda item: _group(item["group"]),
        "STATE": "state",
        "SINCE": "since",
        "WHY": "why",
        "ACKNOWLEDGED": "acknowledgedBy",
    }
    show_page(page, columns, as_json=as_json)


@alerts.command(epilog=examples("lowtide alerts show 6d1f0c9e-8a55-5a2e-9a7d-3d0f6a1b2c3d"))
def show(
    alert: _Alert, as_json: _Json = False, namespace: Namespace = "default", server: Server = DEFAULT_SERVER
) -> None:
    """Show one alert: since when, why, who looks after it, and who was told."""
    found = _ask(server, lambda api: api.alert(namespace, alert))
    if as_json:
        show_json(found)
        return
    print(f"{found['id']}  {found['rule']}  {_group(found['group'])}  {found['state']}")
    names = ("why", "since", "firedAt", "toldAt", "resolvedAt", "acknowledgedAt", "acknowledgedBy", "note")
    for name in names:
        if found.get(name):
            print(f"  {name:15} {found[name]}")
    for told in found["deliveries"]:
        problem = f" ({told['problem']})" if told["problem"] else ""
        print(
            f"  {told['type'].split('.')[-2]:15} to {told['to']}: {told['state']}, attempt {told['attempts']}{problem}"
        )


@alerts.command(epilog=examples("lowtide alerts rules", "lowtide alerts rules --json"))
def rules(
    limit: _Limit = 50,
    cursor: _Cursor = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """List rules by name."""
    page = _ask(server, lambda api: api.rules(namespace, limit=limit, cursor=cursor))
    columns: dict[str, Any] = {
        "NAME": "name",
        "FIRES": lambda item: _condition(item["rule"]),
        "LOOKED AT": "lookedAt",
        "PROBLEM": "problem",
    }
    show_page(page, columns, as_json=as_json)


@alerts.command(
    epilog=examples(
        "lowtide alerts apply examples/alerts/rules.yaml",
        "PAGER_SECRET=whsec_… lowtide alerts apply rules.yaml",
        "lowtide alerts apply rules.yaml --dry-run --from 2026-11-23T00:00:00Z --to 2026-11-23T02:00:00Z",
    )
)
def apply(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="Rules in YAML or JSON.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what they would have said.")] = False,
    since: _Since = None,
    until: _Until = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Create or replace the rules of a file; others stay. A secret `${NAME}` is taken from the environment."""
    from lowtide.cli.alert_rules import rules_of
    from lowtide.settings import whole_environment

    if not dry_run and (since or until):
        raise InvalidInput("--from and --to say what --dry-run is about; add it, or leave them out")

    def put(name: str, rule: JSON) -> None:
        if dry_run:
            _show_trial(name, _ask(server, lambda api: api.try_rule(namespace, rule, since=since, until=until)))
        else:
            _ask(server, lambda api: api.put_rule(namespace, name, rule))
            print(f"{namespace}/{name}")

    for name, rule in rules_of(file, whole_environment()).items():
        put(name, rule)


@alerts.command(
    "test",
    epilog=examples("lowtide alerts test orders-fault", "lowtide alerts test orders-fault --from 2026-11-23T00:00:00Z"),
)
def try_(
    rule: _Rule,
    since: _Since = None,
    until: _Until = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Say what a rule says now, or would have said over a window; nothing is changed by it, nobody is told."""
    found = _ask(server, lambda api: api.test_rule(namespace, rule, since=since, until=until))
    show_json(found) if as_json else _show_trial(rule, found)


@alerts.command(epilog=examples("lowtide alerts delete orders-fault"))
def delete(rule: _Rule, namespace: Namespace = "default", server: Server = DEFAULT_SERVER) -> None:
    """Delete a rule; what fires by it is over."""
    _ask(server, lambda api: api.delete_rule(namespace, rule))
    exits.say(f"{namespace}/{rule} is deleted")


@alerts.command(
    epilog=examples("lowtide alerts ack 6d1f0c9e-8a55-5a2e-9a7d-3d0f6a1b2c3d --by ann --note 'the bank is down'")
)
def ack(
    alert: _Alert,
    by: _By,
    note: Annotated[str, typer.Option(metavar="TEXT", help="What is known of it.")] = "",
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Acknowledge an alert: everybody sees who looks after it."""
    found = _ask(server, lambda api: api.acknowledge(namespace, alert, by, note))
    exits.say(f"{found['rule']} {_group(found['group'])}: acknowledged by {found['acknowledgedBy']}")


@alerts.command(
    epilog=examples(
        "lowtide alerts silence --rule orders-fault --for 2h --reason 'the bank is mended' --by ann",
        "lowtide alerts silence --group workflow=fulfil-order --until 2027-01-01T12:00:00Z --reason move --by ann",
    )
)
def silence(
    reason: Annotated[str, typer.Option(metavar="TEXT", help="Why, for the record.")],
    by: _By,
    duration: Annotated[str | None, typer.Option("--for", metavar="2h", help="For so long: s, m, h or d.")] = None,
    until: Annotated[str | None, typer.Option(metavar="MOMENT", help="Or until then.")] = None,
    rule: Annotated[str | None, typer.Option(metavar="NAME", help="Of this rule; of all by default.")] = None,
    group: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Of this group; may be repeated.")
    ] = None,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """Tell nobody of alerts for a time; prints the silence's id. What still fires then is told of then."""
    wanted: dict[str, JSON] = {"reason": reason, "by": by, "until": _end(duration, until)}
    if rule is not None:
        wanted["rule"] = rule
    if group:
        wanted["group"] = {name: str(value) for name, value in given.pairs_of(group, "--group").items()}
    print(_ask(server, lambda api: api.silence(namespace, wanted))["id"])


@alerts.command(epilog=examples("lowtide alerts silences"))
def silences(
    limit: _Limit = 50,
    cursor: _Cursor = None,
    as_json: _Json = False,
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """List silences that are not over."""
    page = _ask(server, lambda api: api.silences(namespace, limit=limit, cursor=cursor))
    columns: dict[str, Any] = {
        "ID": "id",
        "RULE": lambda item: item["rule"] or "all",
        "GROUP": lambda item: _group(item["group"]),
        "UNTIL": "until",
        "BY": "by",
        "REASON": "reason",
    }
    show_page(page, columns, as_json=as_json)


@alerts.command(epilog=examples("lowtide alerts unsilence 3b7c2a52-0a0e-4b59-9d3a-1f6f0a7f9c11"))
def unsilence(
    silence: Annotated[str, typer.Argument(metavar="ID", help="The silence's id.")],
    namespace: Namespace = "default",
    server: Server = DEFAULT_SERVER,
) -> None:
    """End a silence."""
    _ask(server, lambda api: api.end_silence(namespace, silence))
    exits.say(f"{silence} is over")


def _end(duration: str | None, until: str | None) -> str:
    from lowtide.model.base import Millis, iso
    from lowtide.runtime.clock import SystemClock

    if (duration is None) == (until is None):
        raise InvalidInput("say how long: --for 2h, or --until with a moment")
    if duration is None:
        return str(until)
    number, unit = duration[:-1], {"s": 1, "m": 60, "h": 3600, "d": 86_400}.get(duration[-1:], 0)
    if not unit or not number.isdecimal() or len(number) > 6:
        raise InvalidInput(f"--for {duration}: write a number and s, m, h or d, as 90m")
    return iso(Millis(SystemClock().now() + int(number) * unit * 1000))


def _group(group: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in group.items()) or "-"


def _condition(rule: dict[str, JSON]) -> str:
    condition = rule["condition"]
    match condition["kind"]:
        case "absence":
            return f"no {rule['measure']} in {rule['window']}"
        case "burnRate":
            return f"{rule['measure']} burns the error budget of {condition['objective']:g}"
        case _:
            side = "above" if condition.get("above") is not None else "below"
            return f"{rule['value']} of {rule['measure']} in {rule['window']} {side} {condition[side]:g}"


def _show_trial(name: str, found: dict[str, JSON]) -> None:
    print(f"{name}: {found['looks']} looks")
    for item in found["items"]:
        changes = f" ({', '.join(item['changes'])})" if item["changes"] else ""
        print(f"  {item['at']}  {_group(item['group'])}  {item['state']}{changes}: {item['why']}")
