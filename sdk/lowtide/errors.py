"""Every error that Lowtide raises, as one tree.

    LowtideError                 code               retryable  HTTP  gRPC
    ├── InvalidDocument          document.invalid   no         422   INVALID_ARGUMENT   the workflow has mistakes
    ├── InvalidInput             input.invalid      no         400   INVALID_ARGUMENT   a request or a flag is wrong
    │   └── InvalidEvent         event.invalid      no         400   INVALID_ARGUMENT   a CloudEvent is malformed
    ├── Unauthentic              auth.forged        no         403   PERMISSION_DENIED  a MAC does not match
    ├── AuthRequired             auth.required      no         401   UNAUTHENTICATED    nobody knows who is asking
    ├── TooLarge                 input.too_large    no         413   OUT_OF_RANGE       a body exceeds its limit
    ├── NotFound                 not_found          no         404   NOT_FOUND
    ├── PayloadLost              payload.lost       no         410   DATA_LOSS          large data is no longer there
    ├── Gone                     gone               no         410   NOT_FOUND          it comes too late
    ├── InvalidAnswer            answer.invalid     no         422   INVALID_ARGUMENT   it does not fit a task's form
    ├── Conflict                 conflict           no         409   ALREADY_EXISTS     same key, other content
    ├── Misconfigured            settings.invalid   no         500   FAILED_PRECONDITION
    ├── Unavailable              unavailable        yes        503   UNAVAILABLE        a dependency is down or behind
    │   └── Held                 lease.held         yes        503   ABORTED            another owner's lease lives
    ├── LimitReached             limit.reached      yes        429   RESOURCE_EXHAUSTED a workflow's limits, its queue
    ├── Fenced                   lease.fenced       no         409   FAILED_PRECONDITION  a newer owner took over
    └── TaskFailed               task.failed        no         -     -                  a workflow error, with its noun

``TaskFailed`` carries a :class:`lowtide.model.error.Error` (RFC 9457 shaped) and is how an effect or an expression
tells the engine that a task went wrong. Parking and cancellation are not errors and not in this tree.

The mapping of codes to HTTP and gRPC statuses is the class attribute below and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from lowtide.model.error import Error

__all__ = [
    "AuthRequired",
    "Conflict",
    "Fenced",
    "Gone",
    "Held",
    "InvalidAnswer",
    "InvalidDocument",
    "InvalidEvent",
    "InvalidInput",
    "LimitReached",
    "LowtideError",
    "Misconfigured",
    "NotFound",
    "PayloadLost",
    "TaskFailed",
    "TooLarge",
    "Unauthentic",
    "Unavailable",
]


class LowtideError(Exception):
    """The root. ``str(error)`` says what is wrong and how to mend it, in one or two sentences."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 500
    grpc_status: ClassVar[str] = "INTERNAL"
    title: ClassVar[str] = "Internal error"


class InvalidDocument(LowtideError):
    """A workflow document has mistakes; ``problems`` are lines ``file:line:column: what, expected, mend``."""

    code = "document.invalid"
    http_status = 422
    grpc_status = "INVALID_ARGUMENT"
    title = "The workflow document has mistakes"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class InvalidInput(LowtideError):
    code = "input.invalid"
    http_status = 400
    grpc_status = "INVALID_ARGUMENT"
    title = "The request is wrong"


class InvalidEvent(InvalidInput):
    code = "event.invalid"
    title = "The CloudEvent is malformed"


class Unauthentic(LowtideError):
    code = "auth.forged"
    http_status = 403
    grpc_status = "PERMISSION_DENIED"
    title = "The message was not written by this installation"


class AuthRequired(LowtideError):
    code = "auth.required"
    http_status = 401
    grpc_status = "UNAUTHENTICATED"
    title = "Who is asking must be shown"


class TooLarge(LowtideError):
    code = "input.too_large"
    http_status = 413
    grpc_status = "OUT_OF_RANGE"
    title = "The body is too large"


class NotFound(LowtideError):
    code = "not_found"
    http_status = 404
    grpc_status = "NOT_FOUND"
    title = "There is no such thing"


class PayloadLost(LowtideError):
    """Something refers to large data that the payload store no longer has, or has with other content."""

    code = "payload.lost"
    http_status = 410
    grpc_status = "DATA_LOSS"
    title = "Large data is no longer there"


class Gone(LowtideError):
    """What was asked can no longer be answered: its time is over, or nobody waits for it any more."""

    code = "gone"
    http_status = 410
    grpc_status = "NOT_FOUND"
    title = "It comes too late"


class InvalidAnswer(LowtideError):
    """A human task's answer does not fit its form; ``wrong`` are lines ``pointer: what``."""

    code = "answer.invalid"
    http_status = 422
    grpc_status = "INVALID_ARGUMENT"
    title = "The answer does not fit the form"

    def __init__(self, wrong: Sequence[str]) -> None:
        super().__init__(f"the answer does not fit: {'; '.join(wrong)}")
        self.wrong = tuple(wrong)


class Conflict(LowtideError):
    code = "conflict"
    http_status = 409
    grpc_status = "ALREADY_EXISTS"
    title = "The request conflicts with what exists"


class Misconfigured(LowtideError):
    code = "settings.invalid"
    http_status = 500
    grpc_status = "FAILED_PRECONDITION"
    title = "A setting is missing or wrong"


class Unavailable(LowtideError):
    code = "unavailable"
    retryable = True
    http_status = 503
    grpc_status = "UNAVAILABLE"
    title = "A dependency is down or behind; try again"


class Held(Unavailable):
    code = "lease.held"
    grpc_status = "ABORTED"
    title = "Another owner is running this execution"


class LimitReached(LowtideError):
    """``after``: in how many seconds it is worth trying again, as far as one can know."""

    code = "limit.reached"
    retryable = True
    http_status = 429
    grpc_status = "RESOURCE_EXHAUSTED"
    title = "The workflow has reached its limits"

    def __init__(self, message: str, *, after: float = 1.0) -> None:
        super().__init__(message)
        self.after = after


class Fenced(LowtideError):
    code = "lease.fenced"
    http_status = 409
    grpc_status = "FAILED_PRECONDITION"
    title = "A newer owner took this execution over"


class TaskFailed(LowtideError):
    """A workflow error on its way to the engine; ``error`` is the noun that ``catch`` filters see."""

    code = "task.failed"
    title = "A task failed"

    def __init__(self, error: Error) -> None:
        super().__init__(f"{error.title}: {error.detail}" if error.detail else str(error.title))
        self.error = error
