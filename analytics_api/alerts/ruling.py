"""Rules by name: put, get, list, delete. A rule that asks something else begins anew: what fired by it is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Final

from fastapi import APIRouter, Body, Path, Query, Response
from psycopg.types.json import Jsonb
from pydantic import Field

from lowtide.errors import InvalidInput, NotFound
from lowtide.storage.database import Connection

from .. import cursors
from ..answers import Answer, Moment, Page
from ..parameters import Namespace, Paging
from ..problems import RESPONSES
from .desk import Desk
from .evaluating import end_all
from .rules import EXAMPLE, NAME, Rule
from .states import Subject
from .watching import announce, watched

__all__ = ["RuleName", "find_rule", "routes"]

_MOST: Final = 500
_WITHOUT: Final = {name: value for name, value in EXAMPLE.items() if name != "webhooks"}

RuleName = Annotated[str, Path(pattern=NAME, description="The rule's name.", examples=["orders-fault"])]

_COLUMNS: Final = "name, spec, secrets, created_at, changed_at, looked_at, problem"

_PUT: Final = """
INSERT INTO alert_rules (namespace, name, spec, secrets, every, created_at, changed_at, due_at)
VALUES (%(namespace)s, %(name)s, %(spec)s, %(secrets)s, %(every)s,
        clock_timestamp(), clock_timestamp(), clock_timestamp())
ON CONFLICT (namespace, name) DO UPDATE
   SET spec = excluded.spec, secrets = excluded.secrets, every = excluded.every, problem = NULL,
       changed_at = excluded.changed_at, due_at = excluded.due_at,
       looked_at = CASE WHEN %(anew)s THEN NULL ELSE alert_rules.looked_at END
"""


class RuleShown(Answer):
    """A rule without the secrets of its webhooks."""

    name: str = Field(examples=["orders-fault"])
    rule: dict[str, Any] = Field(description="As it was put.", examples=[_WITHOUT])
    signed: list[str] = Field(description="URLs of webhooks whose secret is known.")
    created_at: Moment
    changed_at: Moment
    looked_at: Moment | None = Field(description="When it was last looked at.")
    problem: str | None = Field(description="Why the last look found nothing out, or not all.")


class RulesQuery(Paging):
    limit: int = Field(50, ge=1, le=200)


def routes(desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/alerts/rules", tags=["alerts"], responses=RESPONSES)

    @router.put("/{name}", summary="Create or replace a rule", responses={201: {"model": RuleShown}})
    async def put(namespace: Namespace, name: RuleName, rule: Annotated[Rule, Body()], response: Response) -> RuleShown:
        """The same again changes nothing. Where what it asks is changed, what fires by it is over.

        A webhook without a `secret` keeps the one that it had.
        """
        created = await desk.database.transaction(lambda tx: _put(tx, desk, namespace, name, rule))
        await announce(desk, await desk.database.transaction(watched))
        response.status_code = 201 if created else 200
        return await _shown(desk, namespace, name)

    @router.get("/{name}", summary="One rule")
    async def get(namespace: Namespace, name: RuleName) -> RuleShown:
        return await _shown(desk, namespace, name)

    @router.get("", summary="Rules, by name")
    async def page(namespace: Namespace, query: Annotated[RulesQuery, Query()]) -> Page[RuleShown]:
        after = cursors.read(query.cursor, cursors.NameKey)
        values = {"namespace": namespace, "after": "" if after is None else after.name, "limit": query.limit + 1}
        statement = f"""SELECT {_COLUMNS} FROM alert_rules WHERE namespace = %(namespace)s AND name > %(after)s
                         ORDER BY name LIMIT %(limit)s"""
        rows = await desk.rows(statement, values)
        shown = rows[: query.limit]
        key = cursors.NameKey(shown[-1][0]) if len(rows) > query.limit else None
        return Page(items=[_of(row) for row in shown], next=cursors.of(key))

    @router.delete("/{name}", summary="Delete a rule", status_code=204, response_class=Response)
    async def delete(namespace: Namespace, name: RuleName) -> None:
        """What fires by it is over, and whoever was told so is told that. What has been stays in the list of alerts."""
        await desk.database.transaction(lambda tx: _delete(tx, desk, namespace, name))
        await announce(desk, await desk.database.transaction(watched))

    return router


async def find_rule(desk: Desk, namespace: str, name: str) -> Rule:
    """Raises :class:`lowtide.errors.NotFound`."""
    return Rule.model_validate((await _found(desk, namespace, name))[1])


async def _found(desk: Desk, namespace: str, name: str) -> Sequence[Any]:
    statement = f"SELECT {_COLUMNS} FROM alert_rules WHERE namespace = %(namespace)s AND name = %(name)s"
    rows = await desk.rows(statement, {"namespace": namespace, "name": name})
    if not rows:
        raise NotFound(f"there is no alert rule {name} in namespace {namespace}")
    return rows[0]


async def _shown(desk: Desk, namespace: str, name: str) -> RuleShown:
    return _of(await _found(desk, namespace, name))


def _of(row: Sequence[Any]) -> RuleShown:
    name, spec, secrets, created, changed, looked, problem = row
    return RuleShown(
        name=name,
        rule=spec,
        signed=sorted(secrets),
        created_at=created,
        changed_at=changed,
        looked_at=looked,
        problem=problem,
    )


async def _put(connection: Connection, desk: Desk, namespace: str, name: str, rule: Rule) -> bool:
    """Whether it is new."""
    before = await _lock(connection, namespace, name)
    if before is None and await _count(connection, namespace) >= _MOST:
        raise InvalidInput(f"the namespace has {_MOST} alert rules; delete some, or group what they look at")
    secrets = _secrets(rule, {} if before is None else before.secrets)
    anew = before is None or not rule.is_same_question(before.rule)
    if before is not None and (rule.stored(), secrets) == (before.rule.stored(), before.secrets):
        return False
    if before is not None and anew:
        await end_all(connection, desk, before, "the rule was changed")
    values = {"namespace": namespace, "name": name, "spec": Jsonb(rule.stored()), "secrets": Jsonb(secrets)}
    await connection.execute(_PUT, {**values, "every": rule.terms.every, "anew": anew})
    return before is None


async def _delete(connection: Connection, desk: Desk, namespace: str, name: str) -> None:
    before = await _lock(connection, namespace, name)
    if before is None:
        raise NotFound(f"there is no alert rule {name} in namespace {namespace}")
    await end_all(connection, desk, before, "the rule was deleted")
    await connection.execute("DELETE FROM alert_rules WHERE namespace = %s AND name = %s", [namespace, name])


async def _lock(connection: Connection, namespace: str, name: str) -> Subject | None:
    statement = """SELECT spec, secrets, looked_at, clock_timestamp() FROM alert_rules
                    WHERE namespace = %s AND name = %s FOR UPDATE"""
    row = await (await connection.execute(statement, [namespace, name])).fetchone()
    if row is None:
        return None
    spec, secrets, looked, now = row
    return Subject(namespace, name, Rule.model_validate(spec), secrets, looked, now)


async def _count(connection: Connection, namespace: str) -> int:
    row = await (
        await connection.execute("SELECT count(*) FROM alert_rules WHERE namespace = %s", [namespace])
    ).fetchone()
    return 0 if row is None else int(row[0])


def _secrets(rule: Rule, before: Mapping[str, str]) -> dict[str, str]:
    """Raises :class:`lowtide.errors.InvalidInput` where a webhook has none."""
    secrets = {one.url: one.secret or before.get(one.url, "") for one in rule.webhooks}
    for url, secret in secrets.items():
        if not secret:
            raise InvalidInput(
                f"body.webhooks: {url} is new and needs a `secret`: whsec_ and base64, which it verifies by"
            )
    return secrets
