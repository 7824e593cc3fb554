"""The demo, as `make demo` runs it: the whole platform with real processes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.platform, pytest.mark.timeout(420)]

_DEMO = Path(__file__).parents[2] / "examples" / "order-fulfilment" / "demo.py"


def _demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(_DEMO), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)


def test_orders_survive_kill_9_and_nothing_runs_while_they_wait() -> None:
    ended = _demo("--kill", "execute,ingest,orchestrate,broker")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "20 of 20 completed" in ended.stdout
    assert "0 after the result was journaled" in ended.stdout
    execute = re.search(r"execute +([\d →]+) processes", ended.stdout)
    assert execute is not None
    counts = [int(count) for count in execute[1].split(" → ")]
    assert counts[0] == counts[-1] == 0
    assert 0 in counts[1:-1], f"execute never went to zero in between: {counts}"
    assert "at rest     no process at all" in ended.stdout
    assert_the_cost_is_right(ended.stdout)


def assert_the_cost_is_right(told: str) -> None:
    """Every amount again from what was measured and the published prices of the list that is named."""

    def found(pattern: str) -> tuple[float, ...]:
        match = re.search(pattern, told)
        assert match is not None, pattern
        return tuple(map(float, match.groups()))

    rows = dict(re.findall(r"^(order|shipment|total) +(\d+ .*) USD$", told, re.MULTILINE))
    columns = {name: [float(cell) for cell in row.replace(" s ", " ").split()] for name, row in rows.items()}
    invocations, _, active, cost = columns["total"]
    for column, whole in enumerate(columns["total"]):
        parts = columns["order"][column] + columns["shipment"][column]
        assert parts == pytest.approx(whole, abs=2e-3)  # each is rounded
    assert found(r"active +([\d.]+) s in the") == pytest.approx((active,), abs=0.06)

    busy, starting, billed = found(r"billed time = ([\d.]+) s busy \+ ([\d.]+) s starting = ([\d.]+) s")
    assert "by the prices of google-cloud-run" in told
    assert billed == pytest.approx(busy + starting, rel=1e-4)
    assert active / 20 <= busy <= active
    assert cost == pytest.approx(billed * (0.000024 + 0.5 * 0.0000025) + invocations * 0.40 / 1e6, rel=1e-4)

    instances, seconds = found(r"always on = (\d+) instances x ([\d.]+) s")
    always, saved, share = found(r"always on: ([\d.]+) USD; saved: ([\d.]+) USD \(([\d.]+)%\)")
    assert always == pytest.approx(instances * seconds * (0.000018 + 0.5 * 0.000002), rel=1e-4)
    assert saved == pytest.approx(always - cost, rel=1e-3)
    assert share == pytest.approx(100 * saved / always, abs=0.01)


def test_ctrl_c_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    process = subprocess.Popen(
        [sys.executable, str(_DEMO)], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "by CloudEvent" in line:
            break
    children = psutil.Process(process.pid).children(recursive=True)
    assert children
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert list(tmp_path.glob("lowtide-demo-*")) == []
