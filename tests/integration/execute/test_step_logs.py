"""What steps say by ``logging`` is found with their executions."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.eventually import eventually
from tests.ingests import IngestProcess
from tests.integration.execute.conftest import Order, order

pytestmark = pytest.mark.anyio

_SAY = """
use: {secrets: [card]}
do:
  - one: {call: say, with: {word: '${ .word }'}}
  - two: {call: say, with: {word: '${ $secrets.card }'}}
  - three: {call: fail}
"""


async def test_what_steps_say_are_log_lines_of_their_execution_and_task(
    ingest: IngestProcess, run_execute: Any, tmp_path: Path
) -> None:
    (tmp_path / "card").write_text("4711-0815")
    execute = run_execute(steps="tests.integration.execute.talking", secrets_dir=tmp_path)
    first, second = order(_SAY, {"word": "eins"}), order(_SAY, {"word": "zwei"})
    together = [threading.Thread(target=execute.deliver, args=(what,)) for what in (first, second)]
    for thread in together:
        thread.start()
    for thread in together:
        thread.join()
    async for attempt in eventually(pause=0.2):
        with attempt:
            found = {what.execution: lines(ingest, what) for what in (first, second)}
            assert [len(said) for said in found.values()] == [3, 3]
    for what, word in ((first, "eins"), (second, "zwei")):
        one, two, three = found[what.execution]
        assert one[:3] == ("info", f"it begins: {word}", "/do/0/one@1.1")
        assert one[3] == {"logger": "shop.prices", "word": word, "odd": "an odd one", "depth": {"of": [1, 2]}}
        assert two[2] == "/do/1/two@1.2"
        assert "4711" not in str(two), "secrets are masked as in all history"
        assert (three[0], len(three[1]), three[2]) == ("error", 65536, "/do/2/three@1.3")
        assert set(three[3]) == {"logger", "left_out"}
    execute.close()
    said = [line for line in execute.logged() if line["logger"].startswith("shop")]
    assert said[0]["message"] == "said while nobody is at work"
    assert [line["odd"] for line in said if "odd" in line] == ["an odd one"] * 4, "nothing is lost in its own log"


def lines(ingest: IngestProcess, what: Order) -> list[tuple[Any, ...]]:
    with psycopg.connect(ingest.stores.analytics) as connection:
        query = "SELECT level, message, task, fields FROM logs WHERE execution = %s ORDER BY at, task"
        return connection.execute(query, [what.execution]).fetchall()
