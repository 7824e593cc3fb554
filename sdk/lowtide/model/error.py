"""The workflow error: RFC 9457 members, types from the standard (dsl-reference.md, "Standard Error Types").

Decision A-9: an error type is compared by its last path segment when both sides are standard types, so that every
host and path in the wild names the same error; new errors carry the newest URI.
"""

from typing import Final, Literal

from lowtide.model.base import JSON, Noun

__all__ = ["STANDARD_BASE", "Error", "StandardType", "same_type", "short_type", "standard_error"]

STANDARD_BASE: Final = "https://open-workflow-specification.org/spec/1.0.0/errors/"

StandardType = Literal[
    "configuration",
    "validation",
    "expression",
    "authentication",
    "authorization",
    "timeout",
    "communication",
    "runtime",
]

_DEFAULTS: Final[dict[str, tuple[int, str]]] = {
    "configuration": (400, "Configuration Error"),
    "validation": (400, "Validation Error"),
    "expression": (400, "Expression Error"),
    "authentication": (401, "Authentication Error"),
    "authorization": (403, "Authorization Error"),
    "timeout": (408, "Timeout Error"),
    "communication": (500, "Communication Error"),
    "runtime": (500, "Runtime Error"),
}

_LONGEST_TYPE: Final = 200

_STANDARD_HOSTS: Final = ("serverlessworkflow.io", "open-workflow-specification.org")


class Error(Noun, frozen=True):
    """What a task or workflow faulted with.

    ``instance`` is the JSON pointer of the task that raised it (decision A-11), ``status`` an HTTP-like number.
    """

    type: str
    status: int
    title: str | None = None
    detail: str | None = None
    instance: str | None = None

    def as_json(self) -> dict[str, JSON]:
        """The form that ``catch`` variables, APIs and the CLI show: only the members that are set."""
        members = {
            "type": self.type,
            "status": self.status,
            "title": self.title,
            "detail": self.detail,
            "instance": self.instance,
        }
        return {key: value for key, value in members.items() if value is not None}


def standard_error(
    kind: StandardType,
    detail: str,
    *,
    status: int | None = None,
    title: str | None = None,
    instance: str | None = None,
) -> Error:
    """An error of one of the eight standard types, with the standard's status unless a truer one is known."""
    default_status, default_title = _DEFAULTS[kind]
    return Error(
        type=STANDARD_BASE + kind,
        status=default_status if status is None else status,
        title=title or default_title,
        detail=detail,
        instance=instance,
    )


def same_type(left: str, right: str) -> bool:
    """Whether two error type URIs name the same error (decision A-9)."""
    if left == right:
        return True
    return _standard_name(left) is not None and _standard_name(left) == _standard_name(right)


def short_type(uri: str) -> str:
    """A type by which errors are looked for: of the standard's own the name alone, of others what fits an index."""
    return _standard_name(uri) or uri[:_LONGEST_TYPE]


def _standard_name(uri: str) -> str | None:
    host_and_path = uri.partition("://")[2]
    host = host_and_path.partition("/")[0]
    name = uri.rstrip("/").rpartition("/")[2]
    return name if host in _STANDARD_HOSTS and name in _DEFAULTS else None
