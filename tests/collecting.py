"""The garbage collector sleeps while tests are collected: what is imported then lives as long as the process.

What is there afterwards it looks at no more, either: with all test modules in memory, each of its rounds in the middle
of a test would take half a second.
"""

from __future__ import annotations

import gc

gc.disable()


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()
