"""``run: shell`` and ``run: script`` as real child processes."""

from __future__ import annotations

import asyncio
import ctypes
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from lowtide.effects import build, child
from lowtide.model.state import Faulted
from tests.effecting import fault, output, perform
from tests.eventually import eventually
from tests.peers import peer

pytestmark = pytest.mark.anyio

ALLOWED: dict[str, Any] = {"allow_shell": True, "allow_script": True}
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed (Debian: nodejs)")


def shell(command: str, *, how: str = "", timeout: str = "PT10S", **members: str) -> str:
    given = "".join(f"\n                  {name}: {value}" for name, value in members.items())
    return f"""
        do:
          - run:
              timeout: {{after: {timeout}}}
              run:
                shell:
                  command: {command!r}{given}
                {how}
        """


def script(language: str, code: str, *, how: str = "", **members: str) -> str:
    given = "".join(f"\n                  {name}: {value}" for name, value in members.items())
    text = code.replace("\n", "\n                    ")
    return f"""
        do:
          - run:
              timeout: {{after: PT10S}}
              run:
                script:
                  language: {language}{given}
                  code: |
                    {text}
                {how}
        """


# ---------------------------------------------------------------- shell


async def test_a_command_is_given_its_stdin_and_arguments(tmp_path: Path) -> None:
    command = 'input=$(cat); echo "STDIN was: $input"; echo "ARGS are $1 $2"'
    document = shell(command, stdin="${ .message }", arguments="[Foo, '${ .message }']")
    result = await output(document, {"message": "Hello World"}, **ALLOWED)
    assert result == "STDIN was: Hello World\nARGS are Foo Hello World\n"


async def test_the_map_of_arguments_of_older_documents_stands_behind_the_command() -> None:
    document = shell("echo", arguments="{Hello: null, --user: '${ .who }'}")
    assert await output(document, {"who": "Ada Lovelace; rm"}, **ALLOWED) == "Hello --user=Ada Lovelace; rm\n"


async def test_a_value_that_is_no_text_arrives_as_json() -> None:
    assert await output(shell("cat /dev/stdin", stdin="'${ . }'"), {"a": [1]}, **ALLOWED) == '{"a":[1]}'


async def test_the_environment_is_what_the_task_names_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWTIDE_KEY", "nobody sees it")
    result = await output(shell("env", environment="{WHO: '${ .who }', COUNT: 3}"), {"who": "Ada"}, **ALLOWED)
    named = dict(line.split("=", 1) for line in result.splitlines())
    assert {name: value for name, value in named.items() if name != "PWD"} == {"WHO": "Ada", "COUNT": "3"}


async def test_a_process_that_runs_commands_hides_its_own_environment() -> None:
    await output(shell("true"), **ALLOWED)
    assert ctypes.CDLL(None).prctl(3, 0, 0, 0, 0) == 0, "PR_GET_DUMPABLE: its /proc entries are root's alone"


async def test_a_command_runs_in_an_empty_folder_that_is_removed_after() -> None:
    folder = (await output(shell("pwd; ls -A"), **ALLOWED)).strip()
    assert folder.startswith("/")
    assert await output(shell('test -e "$1"', arguments=f"[{folder}]", how="return: code"), **ALLOWED) == 1


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("return: stdout", "out\n"),
        ("return: stderr", "err\n"),
        ("return: code", 0),
        ("return: none", None),
        ("return: all", {"code": 0, "stdout": "out\n", "stderr": "err\n"}),
    ],
)
async def test_return_says_what_the_task_gives(how: str, expected: Any) -> None:
    assert await output(shell("echo out; echo err >&2", how=how), **ALLOWED) == expected


async def test_an_exit_code_is_an_error_where_nothing_else_would_show_it() -> None:
    failing = "echo no such order >&2; exit 3"
    kind, status, detail = await fault(shell(failing), **ALLOWED)
    assert (kind, status) == ("runtime", 500)
    assert "exit code 3: no such order" in detail
    assert await output(shell(failing, how="return: code"), **ALLOWED) == 3
    assert await output(shell("kill -9 $$", how="return: code"), **ALLOWED) == 137
    assert await output(shell(failing, how="return: stderr"), **ALLOWED) == "no such order\n"
    all_of_it = await output(shell(failing, how="return: all"), **ALLOWED)
    assert all_of_it == {"code": 3, "stdout": "", "stderr": "no such order\n"}


async def test_await_false_gives_the_input_at_once_and_the_process_goes_on(tmp_path: Path) -> None:
    effects = build(allow_shell=True)
    try:
        written = tmp_path / "written"
        document = shell(f"sleep 0.3; echo done > {written}", how="await: false")
        assert await output(document, {"a": 1}, shared=effects) == {"a": 1}
        assert not written.exists()
        async for attempt in eventually():
            with attempt:
                assert written.exists()
    finally:
        await effects.close()


async def test_what_nobody_awaits_ends_with_the_effects(tmp_path: Path) -> None:
    written = tmp_path / "written"
    await output(shell(f"sleep 0.5; echo done > {written}", how="await: false"), **ALLOWED)
    await asyncio.sleep(0.8)
    assert not written.exists()


# ---------------------------------------------------------------- limits


async def test_a_command_that_takes_longer_than_its_timeout_is_killed_with_all_it_started(tmp_path: Path) -> None:
    written = tmp_path / "written"
    began = time.monotonic()
    found = await fault(shell(f"(sleep 1; echo late > {written}) & sleep 30", timeout="PT0.3S"), **ALLOWED)
    assert found[:2] == ("timeout", 408)
    assert time.monotonic() - began < 5
    await asyncio.sleep(1.1)
    assert not written.exists()


async def test_what_runs_on_in_the_background_holds_nobody_up() -> None:
    began = time.monotonic()
    assert await output(shell("echo first; sleep 30 &"), **ALLOWED) == "first\n"
    assert time.monotonic() - began < 5


async def test_more_output_than_allowed_is_an_error() -> None:
    kind, status, detail = await fault(shell("yes"), process_output=10_000, **ALLOWED)
    assert (kind, status) == ("runtime", 500)
    assert "more than 10000 bytes" in detail


async def test_too_much_output_counts_even_before_the_start_has_been_told(monkeypatch: pytest.MonkeyPatch) -> None:
    launch = child.launch

    async def slowly(*given: Any, **options: Any) -> child.Child:
        launched = await launch(*given, **options)
        await asyncio.sleep(0.2)
        return launched

    monkeypatch.setattr(child, "launch", slowly)
    kind, _, detail = await fault(shell("yes"), process_output=10_000, **ALLOWED)
    assert kind == "runtime"
    assert "more than 10000 bytes" in detail


async def test_more_memory_than_allowed_is_an_error() -> None:
    greedy = "kept = b'x' * 200_000_000\nprint(len(kept))"
    kind, status, detail = await fault(script("python", greedy), process_memory=64 * 1024 * 1024, **ALLOWED)
    assert (kind, status) == ("runtime", 500)
    assert "MemoryError" in detail


# ---------------------------------------------------------------- permission


@pytest.mark.parametrize(
    ("document", "setting"),
    [(shell("true"), "LOWTIDE_ALLOW_SHELL"), (script("python", "print(1)"), "LOWTIDE_ALLOW_SCRIPT")],
)
async def test_processes_are_off_until_the_operator_allows_them(document: str, setting: str) -> None:
    kind, status, detail = await fault(document)
    assert (kind, status) == ("authorization", 403)
    assert f"{setting}=true" in detail
    assert f"--{setting.removeprefix('LOWTIDE_').lower().replace('_', '-')}" in detail


# ---------------------------------------------------------------- scripts


async def test_a_python_script_is_given_stdin_arguments_and_environment() -> None:
    code = "import os, sys\nprint(sys.stdin.read(), sys.argv[1:], os.environ['WHO'], '${ not an expression }')"
    document = script("python", code, stdin="Hello", arguments="[a, 2]", environment="{WHO: Zoë}")
    assert await output(document, **ALLOWED) == "Hello ['a', '2'] Zoë ${ not an expression }\n"


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "from __future__ import annotations\nprint(greetings, count + 1)"),
        pytest.param("js", "import 'node:fs';\nconsole.log(greetings, count + 1)", marks=needs_node),
    ],
)
async def test_the_map_of_arguments_of_older_documents_is_variables_of_the_script(language: str, code: str) -> None:
    document = script(language, code, arguments="{greetings: '${ .say }', count: 2}")
    assert await output(document, {"say": "Hello, 'world'!"}, **ALLOWED) == "Hello, 'world'! 3\n"
    unnamed = script(language, code, arguments="{--greetings: a}")
    assert (await fault(unnamed, **ALLOWED))[:2] == ("configuration", 400)


async def test_a_python_script_has_the_standard_library_alone() -> None:
    kind, _, detail = await fault(script("python", "import json\nimport aiohttp"), **ALLOWED)
    assert kind == "runtime"
    assert "No module named 'aiohttp'" in detail


async def test_a_script_that_raises_is_a_runtime_error_that_shows_where() -> None:
    kind, status, detail = await fault(script("python", "x = 1\nraise ValueError('no')"), **ALLOWED)
    assert (kind, status) == ("runtime", 500)
    assert "line 2" in detail
    assert "ValueError: no" in detail


async def test_a_script_may_come_from_a_file_or_over_http(tmp_path: Path) -> None:
    (tmp_path / "sum.py").write_text("import sys\nprint(sum(map(int, sys.argv[1:])))")
    with peer(lambda request: (200, b"print('from far')")) as site:
        for endpoint, expected in (("file:sum.py", "5\n"), (f"{site.url}/far.py", "from far\n")):
            document = f"""
                do:
                  - run:
                      run:
                        script:
                          language: python
                          source: {{endpoint: {endpoint!r}}}
                          arguments: ['2', '3']
                """
            assert await output(document, base=tmp_path, **ALLOWED) == expected


@needs_node
async def test_a_javascript_module_reads_stdin_arguments_and_environment() -> None:
    code = """import { readFileSync } from 'node:fs';
const stdin = readFileSync(process.stdin.fd, 'utf8');
const [_, __, arg] = process.argv;
console.log(stdin, arg, process.env.foo, Object.keys(process.env).length, await Promise.resolve(7));"""
    document = script("js", code, stdin="Hello", arguments="[hello]", environment="{foo: bar}")
    assert await output(document, **ALLOWED) == "Hello hello bar 1 7\n"


@needs_node
async def test_a_javascript_script_may_use_require() -> None:
    code = "const { basename } = require('path');\nconsole.log(basename('/a/b'))"
    assert await output(script("javascript", code), **ALLOWED) == "b\n"


@needs_node
async def test_javascript_that_throws_is_a_runtime_error() -> None:
    kind, status, detail = await fault(script("js", "throw new Error('no')"), **ALLOWED)
    assert (kind, status) == ("runtime", 500)
    assert "Error: no" in detail


async def test_javascript_without_node_is_a_configuration_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    kind, status, detail = await fault(script("js", "console.log(1)"), **ALLOWED)
    assert (kind, status) == ("configuration", 400)
    assert "node" in detail


async def test_a_language_that_nobody_runs_is_a_configuration_error() -> None:
    outcome = await perform(script("ruby", "puts 1"), **ALLOWED)
    assert isinstance(outcome, Faulted)
    assert outcome.error.status == 400
    assert "js, javascript, python" in str(outcome.error.detail)
