"""Questions across namespaces: the namespaces there are, found from one to the next through an index, without a look at
what is between them; and the rows of each, through the same index."""

from __future__ import annotations

__all__ = ["each"]

_ONE = "SELECT CAST(:namespace AS text)"

_ALL = """
  SELECT min(namespace) FROM {table}
  UNION ALL
  SELECT (SELECT min(namespace) FROM {table} WHERE namespace > spaces.namespace)
    FROM spaces WHERE spaces.namespace IS NOT NULL
"""


def each(table: str, *, alone: bool) -> str:
    """A ``WITH`` clause: ``spaces`` has the namespaces that ``table`` has, or, ``alone``, the one that is asked for."""
    return f"WITH RECURSIVE spaces (namespace) AS ({_ONE if alone else _ALL.format(table=table)})"
