"""Whom tests trust: nobody outside this machine.

Each process that may speak TLS reads the certificates of all authorities of the world when it starts, and a client of
httpx does so for each single request: a tenth of a second that proves nothing, since no test leaves this machine. What
has an authority of its own names it.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Final

import certifi
import pytest

__all__: list[str] = []

_END: Final = "-----END CERTIFICATE-----\n"


def pytest_configure(config: pytest.Config) -> None:
    if "LOWTIDE_TEST_S3_ENDPOINT" in os.environ:
        return  # it may be anywhere
    first, end, _ = Path(certifi.where()).read_text(encoding="utf-8").partition(_END)
    with tempfile.NamedTemporaryFile("w", prefix="lowtide-trust-", suffix=".pem", delete=False) as file:
        file.write(first + end)
    os.environ["SSL_CERT_FILE"] = file.name  # the programs that tests start inherit it
    config.add_cleanup(Path(file.name).unlink)
