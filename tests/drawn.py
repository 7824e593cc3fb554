"""Values to draw: any JSON, jq that is sound everywhere, and what stands in fields whose type says too little."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st
from pydantic import BaseModel

from lowtide.dsl.models import DSL_VERSIONS, authentication, error, resource, retry, run, workflow
from lowtide.dsl.models.calls import function

__all__ = ["BESIDE", "DATA", "FIELDS", "FILTERED", "FORMS", "JSON_VALUES", "KNOWN", "NAMES", "TEXTS", "WHOLE"]

PROGRAMS: Final = [
    ".", ".a", ".a.b[0]?", ".items? // []", "$workflow.id", "now", "[.]", "{a: .}", "(.n? // 0) + 1", "$runtime.name",
    '"a\\(.)"', 'error("no")', ".a | length > 2", "infinite", "nan", "-0", "1e1000", "100000000000000000000", "false",
    '"} ${"', "empty", "[range(3)]", '"PT1S"', "{seconds: 1}", ". as $x | $x",
]  # fmt: skip
"""jq that is sound and needs no variable that some place lacks."""

COSTLY: Final = ["[limit(3; repeat(1))]", "reduce range(400) as $i (0; [.])", "[.. | numbers]"]
"""Run by the worker: a process that is asked costs a millisecond."""

NUMBERS: Final = (
    st.integers(-(2**70), 2**70)
    | st.sampled_from([0, 1, 2**53 + 1, 10**400, -(10**999) + 1])
    | st.floats(allow_nan=False, allow_infinity=False)
)
_CHARACTERS: Final = st.characters(codec="utf-8", exclude_categories=["Cs"])
TEXTS: Final = st.text(_CHARACTERS, max_size=6).filter(lambda text: "${" not in text) | st.sampled_from(
    [
        "yes",
        "on",
        "1e5",
        "0o7",
        "12:30:00",
        "~",
        "null",
        "a: b",
        "- a",
        "# a",
        "\u2028",
        "\x85",
        "\U0001f40b",
        "{{",
        "'",
    ]
)
SCALARS: Final = st.none() | st.booleans() | NUMBERS | TEXTS


def _nested(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def inner(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.lists(children, max_size=2) | st.dictionaries(TEXTS, children, max_size=2)

    return st.recursive(leaves, inner, max_leaves=4)


JSON_VALUES: Final = _nested(SCALARS) | st.integers(5, 60).map(lambda depth: _tower(depth))
"""Any JSON value, without expressions."""


def _tower(depth: int) -> Any:
    value: Any = depth
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


_JQ: Final = st.sampled_from(PROGRAMS)
WHOLE: Final = _JQ.map(lambda source: f"${{ {source} }}")
_EXPRESSIONS: Final = _JQ | WHOLE | st.sampled_from(COSTLY)
DATA: Final = _nested(SCALARS | WHOLE | st.tuples(TEXTS, WHOLE).map("".join) | st.tuples(WHOLE, TEXTS).map("".join))
_DURATION_TEXTS: Final = st.sampled_from(["PT1S", "P1DT2H", "PT0.5S", "P1Y2M3W", "P1000Y", "PT0S"]) | WHOLE
_DURATION_OBJECTS: Final = st.dictionaries(
    st.sampled_from(["days", "hours", "minutes", "seconds", "milliseconds"]),
    st.integers(0, 100) | st.floats(0, 100) | WHOLE,
    min_size=1,
    max_size=2,
)
_URIS: Final = st.sampled_from(["https://example.com/{a}/b", "http://127.0.0.1:9/x?y=1#z", "urn:a:b"]) | WHOLE
NAMES: Final = st.sampled_from(["alpha", "beta", "gamma/x", "del~ta", "épsilon", "0", "a b", "\U0001f40b"])
BESIDE: Final = "<beside>"
_VARIABLES: Final = st.sampled_from(["item", "$each", "index", "_9", "error"])

FORMS: Final[dict[str, st.SearchStrategy[Any]]] = {
    "_dns_name": st.from_regex(r"[a-zA-Z0-9]([a-zA-Z0-9-]{0,5}[a-zA-Z0-9])?", fullmatch=True),
    "_version": st.sampled_from(["1.0.0", "0.1.2-rc.1+build.5", "10.20.30"]),
    "_expression": _EXPRESSIONS,
    "_whole": WHOLE,
    "_duration_text": _DURATION_TEXTS,
    "_duration_object": _DURATION_OBJECTS,
    "_uri": _URIS,
    "_variable": _VARIABLES,
    "_scalar": SCALARS | WHOLE,
    "_status": st.integers(100, 599) | WHOLE,
    "_time": st.sampled_from(["2026-01-31T12:00:00Z", "2026-01-31T12:00:00.5+02:00"]) | WHOLE,
    "_type": st.sampled_from(["com.example.placed.v1", "t"]),
    "_directive": st.sampled_from(["continue", "exit", "end", BESIDE]),
    "_supported": st.sampled_from(DSL_VERSIONS),
}
"""The values of a form, by the name of the validator that checks it."""

_SCHEMAS: Final = st.sampled_from(
    [{}, True, {"type": "object"}, {"type": ["object", "null", "array"]}, {"multipleOf": 0.5}, {"$ref": "#"},
     {"properties": {"a": {"pattern": "^(a+)+$"}}}, {"uniqueItems": True}, {"enum": [1, "a", None]}]
)  # fmt: skip
FILTERED: Final = st.sampled_from(["t", "com.example.placed.v1", "regex:a.*", "regex:(a|b)+c?"]) | WHOLE

FIELDS: Final[dict[tuple[type[BaseModel], str], st.SearchStrategy[Any]]] = {
    (resource.Schema, "document"): _SCHEMAS,
    (resource.Schema, "format"): st.sampled_from(["json", "json:2020-12"]),
    (workflow.Schedule, "cron"): st.sampled_from(["*/5 * * * *", "0 9 * * MON-FRI"]),
    (workflow.Schedule, "every"): st.sampled_from(["PT1S", "P1D", {"minutes": 5}]),
    (workflow.Schedule, "after"): st.sampled_from(["PT1S", "P1D", {"minutes": 5}]),
    (workflow.Evaluate, "language"): st.just("jq"),
    (workflow.Use, "secrets"): st.just(["shop"]),
    (error.ErrorFilter, "status"): st.sampled_from([400, 500, 408]),
    (function.CallFunction, "call"): st.sampled_from(["price", "step", "alpha"]),
    (authentication.FromSecret, "use"): st.just("shop"),
    (authentication.ByName, "use"): st.just("known"),
    (run.Script, "language"): st.sampled_from(["python", "js"]),
    (retry.AttemptLimit, "count"): st.integers(0, 3) | st.just(10**30),
    (retry.BackoffOptions, "multiplier"): st.sampled_from([1, 2, 0.5, 1.5, 1e300, 10**400]),
}
"""Values of fields whose type says too little."""

KNOWN: Final[dict[str, Any]] = {
    "authentications": {"known": {"bearer": {"token": "${ $secrets.shop }"}}},
    "errors": {"known": {"type": "https://example.com/errors/known", "status": 409}},
    "retries": {"known": {"delay": "PT1S", "limit": {"attempt": {"count": 1}}}},
    "timeouts": {"known": {"after": "PT1M"}},
}
"""What names in a document refer to."""
