"""The process as it is started by a platform: its arguments, its settings, its exit codes."""

from __future__ import annotations

import os
import subprocess
import sys

import psycopg


def _run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LOWTIDE_")}
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_migrate_makes_the_tables_and_exits_also_the_second_time(fresh_database: str) -> None:
    for command in (("analytics_api", "migrate"), ("analytics_api.migrate",)):
        done = _run(*command, LOWTIDE_ANALYTICS_URL=fresh_database)
        assert done.returncode == 0, done.stderr
    with psycopg.connect(fresh_database) as connection:
        assert connection.execute("SELECT count(*) FROM executions").fetchone() == (0,)


def test_what_is_wrong_is_one_line_and_exit_code_2() -> None:
    for arguments, settings, said in (
        (("analytics_api",), {}, "LOWTIDE_ANALYTICS_URL is not set"),
        (("analytics_api.migrate",), {}, "LOWTIDE_ANALYTICS_URL is not set"),
        (("analytics_api",), {"LOWTIDE_ANALYTICS_URL": "mysql://root@db/x"}, "only postgresql:// is known"),
        (("analytics_api", "migarte"), {}, "unknown arguments 'migarte'"),
    ):
        done = _run(*arguments, **settings)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert said in done.stderr


def test_a_migration_without_its_database_fails_with_exit_code_1() -> None:
    done = _run("analytics_api", "migrate", LOWTIDE_ANALYTICS_URL="postgresql://nobody@127.0.0.1:1/nothing")
    assert done.returncode == 1
    assert done.stderr.startswith("the analytics store cannot be migrated:")
