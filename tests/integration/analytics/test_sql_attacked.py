"""SQL of analysts, attacked: another tenant's rows, the server, other sessions, and the machine's time and memory."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from psycopg import sql

from analytics_api.analysts import words
from analytics_api.analysts.passes import signed
from analytics_api.analysts.role import HOLES, provide
from lowtide.errors import InvalidInput
from lowtide.settings import AnalyticsSettings
from tests.integration.analytics.hostile import HOSTILE
from tests.integration.analytics.reports import NOON, Reports, mounted

_SECRET = "a-secret-of-the-bank"


@pytest.fixture(scope="module")
def server(store_url: str, analysts_url: str) -> Iterator[str]:
    with mounted(AnalyticsSettings(analytics_url=store_url, analysts_url=analysts_url)) as url:
        yield url


@pytest.fixture(scope="module")
def ask(server: str) -> Iterator[Callable[[str], httpx.Response]]:
    with httpx.Client(base_url=f"{server}/analytics", timeout=60) as client:
        yield lambda query: client.post("/v1/namespaces/thief/sql", json={"query": query})


@pytest.fixture(scope="module", autouse=True)
def happened(reports: Reports) -> None:
    """The bank's rows in each table, which the thief wants; and a few of the thief's own."""
    for namespace, workflow in (("bank", _SECRET), ("thief", "mine")):
        whom: dict[str, Any] = {"namespace": namespace, "workflow": workflow}
        execution = reports.execution(**whom, phase="faulted", lasted=1.0, error={"type": "x/y", "title": workflow})
        reports.fact(execution, "pay", "completed", **whom)
        reports.log(execution, f"said by {workflow}", **whom)
        reports.usage(execution, 1, **whom)
        reports.rollup("executions.completed", NOON, [1.0], **whom)


@pytest.fixture
def session(analysts_url: str) -> Iterator[psycopg.Connection[Any]]:
    """What one has who knows the role's password: more than any query is given."""
    with psycopg.connect(analysts_url, autocommit=True) as connection:
        yield connection


_VIEWS = ("executions", "errors", "tasks", "invocations", "logs", "minutes", "hours", "days")


def test_a_tenant_sees_its_own_rows_in_each_view_and_no_others(ask: Callable[[str], httpx.Response]) -> None:
    for view in _VIEWS:
        rows = ask(f"SELECT DISTINCT workflow FROM {view}").json()["rows"]
        assert rows == [["mine"]], view
        found = ask(f"SELECT count(*) FROM {view} AS one WHERE one::text LIKE '%bank%'").json()["rows"]
        assert found == [[0]], view


def test_each_view_is_a_barrier_and_asks_for_the_pass(store_url: str) -> None:
    query = """SELECT relname, coalesce(reloptions @> '{security_barrier=true}', false), pg_get_viewdef(oid)
                 FROM pg_class WHERE relnamespace = 'analysts'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'f')"""
    with psycopg.connect(store_url) as connection:
        found = connection.execute(query).fetchall()
    assert sorted(name for name, _, _ in found) == sorted(_VIEWS)
    for name, barrier, definition in found:
        assert barrier, name
        assert re.search(r"namespace = \( ?SELECT analysts\.namespace\(\)", definition), definition


@pytest.mark.parametrize("query", HOSTILE)
def test_what_is_more_than_a_question_is_refused(ask: Callable[[str], httpx.Response], query: str) -> None:
    refused = ask(query)
    assert (refused.status_code, refused.json()["code"]) == (400, "input.invalid"), refused.text
    assert _SECRET not in refused.text
    assert "asked_" not in refused.text, "the name that a query cannot know is not told"


@pytest.mark.parametrize(
    "condition",
    [
        "1 / (CASE WHEN workflow = 'mine' THEN 1 ELSE 0 END) = 1",
        "(workflow || 'x')::text = 'minex' OR workflow::int = 1",
        "workflow = 'mine' OR cast(error ->> 'title' AS int) = 1",
        "CASE WHEN workflow <> 'mine' THEN (workflow || '')::int = 1 ELSE true END",
    ],
)
def test_no_condition_meets_rows_of_others_before_they_are_left_out(
    ask: Callable[[str], httpx.Response], condition: str
) -> None:
    """A condition that fails on a value tells that value, if it meets it."""
    answered = ask(f"SELECT workflow FROM executions WHERE {condition}")
    assert answered.json().get("rows") == [["mine"]], answered.text


def test_a_planner_that_asks_cheap_conditions_first_meets_no_others(
    session: psycopg.Connection[Any], store_url: str
) -> None:
    """The same as the role itself, with a condition that is nearly free; and with no pass there is no row at all."""
    with session.transaction():
        _show(session, store_url, "thief")
        found = session.execute("SELECT workflow FROM executions WHERE 1 / (length(workflow) - 20) < 1").fetchall()
    assert found == [("mine",)]
    assert len(_SECRET) == 20, "the condition fails where it meets the bank's row"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no pass"):
        session.execute("SELECT count(*) FROM executions")


def _show(session: psycopg.Connection[Any], store_url: str, namespace: str, **forged: Any) -> None:
    with psycopg.connect(store_url) as owner:
        key = owner.execute("SELECT inner_pad, outer_pad FROM analysts_private.key").fetchone()
    assert key is not None
    shown = signed(
        (key[0], key[1]), namespace, forged.get("process", session.info.backend_pid), forged.get("until", 2**40)
    )
    session.execute("SELECT set_config('lowtide.pass', %s, true)", [forged.get("change", str)(shown)])


_BANK = b"bank".hex()


@pytest.mark.parametrize(
    "forged",
    [
        {"process": 1},
        {"until": 1},
        {"change": lambda shown: shown[:-1] + ("0" if shown[-1] != "0" else "1")},
        {"change": lambda shown: re.sub(r"^\w+", _BANK, shown)},
        {"change": lambda shown: shown + ".0"},
        {"change": lambda shown: "." + shown},
        {"change": lambda shown: shown.rpartition(".")[0] + "."},
        {"change": lambda _shown: ""},
        {"change": lambda _shown: "..."},
        {"change": lambda _shown: f"{_BANK}.1.99999999999.{'0' * 64}"},
        {"change": lambda shown: shown.upper()},
    ],
)
def test_a_pass_that_is_not_of_this_session_now_opens_nothing(
    session: psycopg.Connection[Any], store_url: str, forged: dict[str, Any]
) -> None:
    session.autocommit = False
    _show(session, store_url, "thief", **forged)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute("SELECT * FROM executions")


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT * FROM public.executions",
        "SELECT * FROM analysts_private.key",
        "INSERT INTO analysts.logs (message) VALUES ('x')",
        "CREATE TABLE analysts.t (a int)",
        "CREATE TABLE public.t (a int)",
        "CREATE SCHEMA mine",
        "CREATE OR REPLACE FUNCTION analysts.namespace() RETURNS text LANGUAGE sql AS 'SELECT ''bank'''",
        "ALTER VIEW analysts.executions SET (security_barrier = false)",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
        "SET temp_file_limit = -1",
        "SELECT pg_read_file('/etc/passwd')",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "SELECT lo_import('/etc/passwd')",
        "ALTER ROLE CURRENT_USER SUPERUSER",
        "SELECT public.merged_sketch('{}', '{}')",
    ],
)
def test_also_who_has_the_roles_password_can_do_no_more(session: psycopg.Connection[Any], statement: str) -> None:
    session.execute("SET default_transaction_read_only = off")  # that much it may, and finds nothing to write on
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        session.execute(statement.encode())


def test_every_function_that_does_something_is_refused_by_name(session: psycopg.Connection[Any]) -> None:
    """PostgreSQL calls volatile what does more than compute: the functions that remain were looked at, one by one."""
    query = """SELECT DISTINCT proname FROM pg_proc JOIN pg_type ON pg_type.oid = prorettype
                WHERE provolatile = 'v' AND has_function_privilege(pg_proc.oid, 'EXECUTE')
                  AND has_schema_privilege(pronamespace, 'USAGE')
                  AND typname NOT IN ('trigger', 'event_trigger', 'language_handler', 'internal', 'fdw_handler',
                                      'table_am_handler', 'index_am_handler', 'tsm_handler')"""
    left = set()
    for (name,) in session.execute(query).fetchall():
        try:
            words.require_harmless(f"SELECT {name}()")
        except InvalidInput:
            continue
        left.add(name)
    harmless = {"random", "random_normal", "setseed", "clock_timestamp", "timeofday"}
    harmless |= {"gen_random_uuid", "uuidv4", "uuidv7", "array_sample", "array_shuffle", "amvalidate", "fits"}
    assert sorted(left - harmless) == []


def test_a_query_that_takes_too_long_is_ended_in_the_server_too(
    ask: Callable[[str], httpx.Response], store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from analytics_api.analysts import limits

    monkeypatch.setattr(limits, "WHOLE_SECONDS", 0.5)
    for bomb in (
        "SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b",
        "SELECT a FROM generate_series(1, 100000) a, generate_series(1, 100000) b WHERE a + b < 0",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT max(n) FROM r",
    ):
        refused = ask(bomb)
        assert refused.status_code == 400, refused.text
        assert "took longer" in refused.json()["detail"]
    assert _idle(store_url), "nothing runs on"


def _idle(store_url: str) -> bool:
    """Whether no session of analysts is left, soon."""
    left = """SELECT count(*) FROM pg_stat_activity
               WHERE application_name = 'lowtide-analysts' AND datname = current_database()"""
    with psycopg.connect(store_url, autocommit=True) as connection:
        ends = time.monotonic() + 15
        while connection.execute(left.encode()).fetchone() != (0,):
            if time.monotonic() > ends:
                return False
            time.sleep(0.02)
    return True


def test_the_role_itself_is_bounded(session: psycopg.Connection[Any]) -> None:
    session.execute("SET statement_timeout = '200ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute("SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b")
    session.execute("RESET statement_timeout")
    shown = "SELECT current_setting(name) FROM unnest(%s::text[]) WITH ORDINALITY AS s (name, n) ORDER BY n"
    names = ["statement_timeout", "lock_timeout", "work_mem", "temp_file_limit", "default_transaction_read_only"]
    assert session.execute(shown, [names]).fetchall() == [("10s",), ("1s",), ("16MB",), ("256MB",), ("on",)]
    limit = session.execute("SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user").fetchone()
    assert limit == (8,)
    found = session.execute(HOLES.encode()).fetchone()
    assert found is not None
    assert found[2] == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("SELECT repeat('x', 300000)", "more than 256 KiB"),
        ("SELECT 1 AS asked, repeat('x', 1000000) AS a", "more than 256 KiB"),
        ("SELECT repeat('x', 2000000000)", "larger than 1 GB|too large|out of memory|invalid memory|exceeds"),
        (
            "SELECT count(DISTINCT repeat(md5(a::text), 100)) FROM generate_series(1, 120000) a",
            "temporary file size exceeds",
        ),
    ],
)
def test_what_is_too_much_is_refused_and_the_server_lives(
    ask: Callable[[str], httpx.Response], query: str, says: str
) -> None:
    refused = ask(query)
    assert refused.status_code == 400, refused.text
    assert re.search(says, refused.json()["detail"]), refused.text
    assert ask("SELECT 1").json()["rows"] == [[1]]


def test_nothing_that_a_query_does_to_its_session_is_there_for_the_next(
    ask: Callable[[str], httpx.Response], store_url: str
) -> None:
    """A seed is a state of a session that a query may set; and there is no session that could have kept it."""
    first = ask("SELECT setseed(0.5)::text, random()").json()["rows"][0][1]
    assert ask("SELECT random()").json()["rows"][0][0] != first
    assert _idle(store_url)


def test_a_query_cannot_see_what_others_ask(ask: Callable[[str], httpx.Response], server: str) -> None:
    """While another tenant's query is on its way there is no word for the view that would show it."""
    other = threading.Thread(
        target=httpx.post,
        args=(f"{server}/analytics/v1/namespaces/bank/sql",),
        kwargs={"json": {"query": f"SELECT '{_SECRET}', count(*) FROM generate_series(1, 3000000)"}, "timeout": 30},
    )
    other.start()
    for sight in (
        "pg_stat_activity",
        "pg_stat_get_activity(NULL)",
        "pg_stat_get_backend_activity(1)",
        "pg_prepared_statements",
    ):
        assert _SECRET not in ask(f"SELECT * FROM {sight}").text
    other.join()


@pytest.mark.parametrize(
    ("hole", "says"),
    [
        ("GRANT SELECT ON public.executions TO {}", "may read other tables"),
        ("GRANT USAGE ON SCHEMA public TO {}", "may use other schemas"),
        ("GRANT CREATE ON SCHEMA analysts TO {}", "may use other schemas"),
        ("GRANT pg_read_all_stats TO {}", "is a member of another role"),
        ("ALTER ROLE {} CREATEDB", "has powers over the server"),
        ("ALTER ROLE {} SUPERUSER", "has powers over the server"),
        ("ALTER ROLE {} RESET temp_file_limit", "has no temp_file_limit"),
        ("ALTER ROLE {} SET statement_timeout = 0", "has no statement_timeout"),
        ("ALTER ROLE {} SET default_transaction_read_only = off", "may write"),
    ],
)
def test_a_role_that_can_do_more_than_it_should_is_asked_nothing(
    ask: Callable[[str], httpx.Response], store_url: str, analysts_url: str, hole: str, says: str
) -> None:
    name = psycopg.conninfo.conninfo_to_dict(analysts_url)["user"]
    with psycopg.connect(store_url) as owner:
        role = sql.Identifier(str(name))
        undone = [
            *("REVOKE ALL ON public.executions FROM {}", "REVOKE ALL ON SCHEMA public FROM {}"),
            *("REVOKE CREATE ON SCHEMA analysts FROM {}", "REVOKE pg_read_all_stats FROM {}"),
            "ALTER ROLE {} NOSUPERUSER NOCREATEDB",
        ]
        owner.execute(sql.SQL(hole).format(role))
        owner.commit()
        try:
            refused = ask("SELECT 1")
        finally:
            for words_ in undone:
                owner.execute(sql.SQL(words_).format(role))
            owner.commit()
            provide(store_url, analysts_url)
    assert (refused.status_code, refused.json()["code"]) == (500, "settings.invalid")
    assert says in refused.json()["detail"]
    assert ask("SELECT 1").status_code == 200


def test_others_who_were_let_in_stay_in(store_url: str, analysts_url: str) -> None:
    """The schema of the tables is taken from everybody: not from those who have a table there, or a right on one."""
    names = [f"{kind}_{uuid4().hex[:12]}" for kind in ("guest", "owner", "stranger")]
    guest, owner, stranger = (sql.Identifier(name) for name in names)
    with psycopg.connect(store_url) as connection:
        for words_, role in (("GRANT SELECT ON logs TO {}", guest), ("ALTER TABLE mine OWNER TO {}", owner)):
            connection.execute(sql.SQL("CREATE ROLE {}").format(role))
            connection.execute("CREATE TABLE IF NOT EXISTS mine (a int)")
            connection.execute(sql.SQL(words_).format(role))
        connection.execute(sql.SQL("CREATE ROLE {}").format(stranger))
        connection.commit()
        provide(store_url, analysts_url)
        may = """SELECT has_schema_privilege(name, 'public', 'USAGE')
                   FROM unnest(%s::text[]) WITH ORDINALITY AS r (name, n) ORDER BY n"""
        assert connection.execute(may, [names]).fetchall() == [(True,), (True,), (False,)]
        for role in (guest, owner, stranger):
            connection.execute(sql.SQL("DROP OWNED BY {}").format(role))
            connection.execute(sql.SQL("DROP ROLE {}").format(role))


def test_two_who_make_the_role_at_once_wait_for_each_other(store_url: str, analysts_url: str) -> None:
    failed: list[BaseException] = []

    def make() -> None:
        try:
            provide(store_url, analysts_url)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed
