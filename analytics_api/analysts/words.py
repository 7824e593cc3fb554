"""Names that a query may not contain, wherever they stand.

PostgreSQL lets every role call functions that change settings, hold locks, wait, end other sessions of the same role,
run a text as a query, or tell what other sessions do; to take them from one role alone is not possible. A query can
only name what stands in it letter by letter, but for the escapes of ``U&"…"``, which are refused too. So it is enough
to look for the letters: there is no second parser that could understand a query otherwise than PostgreSQL does. A
text in quotes with such a word is refused as well, which is the price.

No namespace is kept apart by this: that is what passes do.
"""

from __future__ import annotations

import re
from typing import Final

from lowtide.errors import InvalidInput

__all__ = ["require_harmless"]

_REFUSED: Final = re.compile(
    r"""
    u&\s*["']
    | (?<![a-z_]) (
        (pg|lo|txid|binary_upgrade|brin|dblink|gin|plpgsql|ri_fkey)_\w*
      | \w*_(to|and)_xml\w*
      | set_config | current_setting | current_query | information_schema
      | ts_stat | ts_rewrite
      | loread | lowrite
      | nextval | setval | currval | lastval
      | has_\w*_privilege | row_security_active | to_reg\w+ | reg(class|proc|procedure|oper|operator|type|role|namespace
          |config|dictionary|collation|database)
      | (obj|col|shobj)_description
      | inet_(client|server)_(addr|port)
      | currtid2?
    ) (?!\w)
    """,
    re.IGNORECASE | re.VERBOSE,
)


def require_harmless(query: str) -> None:
    """Raises :class:`lowtide.errors.InvalidInput` with the word that is refused."""
    found = _REFUSED.search(query)
    if found is not None:
        raise InvalidInput(
            f"a query may not contain {found[0][:60]!r}: it reads the views that docs/analysts.md lists, and has "
            "nothing to do with the server, its catalogs and its settings"
        )
