"""What the client of ingest costs a process that starts from zero."""

from __future__ import annotations

import subprocess
import sys

_HEAVY = ("pydantic", "cloudevents", "sqlalchemy", "psycopg", "fastapi", "aiohttp", "jq", "tenacity")


def test_importing_the_client_pulls_nothing_heavy() -> None:
    program = f"import sys, lowtide.clients.ingest; print(*[name for name in {_HEAVY!r} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []
