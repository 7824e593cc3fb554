from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OpenRequest(_message.Message):
    __slots__ = ("execution", "epoch", "digest", "upto", "owner")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    DIGEST_FIELD_NUMBER: _ClassVar[int]
    UPTO_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    execution: str
    epoch: int
    digest: str
    upto: int
    owner: str
    def __init__(self, execution: _Optional[str] = ..., epoch: _Optional[int] = ..., digest: _Optional[str] = ..., upto: _Optional[int] = ..., owner: _Optional[str] = ...) -> None: ...

class OpenReply(_message.Message):
    __slots__ = ("answer", "tail", "outcome", "reason")
    class Answer(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        ANSWER_UNSPECIFIED: _ClassVar[OpenReply.Answer]
        OK: _ClassVar[OpenReply.Answer]
        HELD: _ClassVar[OpenReply.Answer]
        CLOSED: _ClassVar[OpenReply.Answer]
        GONE: _ClassVar[OpenReply.Answer]
        DIVERGED: _ClassVar[OpenReply.Answer]
    ANSWER_UNSPECIFIED: OpenReply.Answer
    OK: OpenReply.Answer
    HELD: OpenReply.Answer
    CLOSED: OpenReply.Answer
    GONE: OpenReply.Answer
    DIVERGED: OpenReply.Answer
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    answer: OpenReply.Answer
    tail: _containers.RepeatedCompositeFieldContainer[Record]
    outcome: Closed
    reason: str
    def __init__(self, answer: _Optional[_Union[OpenReply.Answer, str]] = ..., tail: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., outcome: _Optional[_Union[Closed, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class Record(_message.Message):
    __slots__ = ("number", "epoch", "body")
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    number: int
    epoch: int
    body: bytes
    def __init__(self, number: _Optional[int] = ..., epoch: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...

class Closed(_message.Message):
    __slots__ = ("type", "body")
    TYPE_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    type: str
    body: bytes
    def __init__(self, type: _Optional[str] = ..., body: _Optional[bytes] = ...) -> None: ...

class Append(_message.Message):
    __slots__ = ("execution", "epoch", "records", "close", "trace")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    CLOSE_FIELD_NUMBER: _ClassVar[int]
    TRACE_FIELD_NUMBER: _ClassVar[int]
    execution: str
    epoch: int
    records: _containers.RepeatedCompositeFieldContainer[Record]
    close: Closed
    trace: str
    def __init__(self, execution: _Optional[str] = ..., epoch: _Optional[int] = ..., records: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., close: _Optional[_Union[Closed, _Mapping]] = ..., trace: _Optional[str] = ...) -> None: ...

class Batch(_message.Message):
    __slots__ = ("owner", "sequence", "appends", "facts", "logs", "metrics", "usages", "changes", "dropped", "releases", "opens")
    class DroppedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    OWNER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    APPENDS_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    LOGS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    USAGES_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    RELEASES_FIELD_NUMBER: _ClassVar[int]
    OPENS_FIELD_NUMBER: _ClassVar[int]
    owner: str
    sequence: int
    appends: _containers.RepeatedCompositeFieldContainer[Append]
    facts: _containers.RepeatedCompositeFieldContainer[TaskFact]
    logs: _containers.RepeatedCompositeFieldContainer[LogLine]
    metrics: _containers.RepeatedCompositeFieldContainer[MetricSample]
    usages: _containers.RepeatedCompositeFieldContainer[InvocationUsage]
    changes: _containers.RepeatedCompositeFieldContainer[ExecutionChange]
    dropped: _containers.ScalarMap[str, int]
    releases: _containers.RepeatedCompositeFieldContainer[Release]
    opens: _containers.RepeatedCompositeFieldContainer[OpenRequest]
    def __init__(self, owner: _Optional[str] = ..., sequence: _Optional[int] = ..., appends: _Optional[_Iterable[_Union[Append, _Mapping]]] = ..., facts: _Optional[_Iterable[_Union[TaskFact, _Mapping]]] = ..., logs: _Optional[_Iterable[_Union[LogLine, _Mapping]]] = ..., metrics: _Optional[_Iterable[_Union[MetricSample, _Mapping]]] = ..., usages: _Optional[_Iterable[_Union[InvocationUsage, _Mapping]]] = ..., changes: _Optional[_Iterable[_Union[ExecutionChange, _Mapping]]] = ..., dropped: _Optional[_Mapping[str, int]] = ..., releases: _Optional[_Iterable[_Union[Release, _Mapping]]] = ..., opens: _Optional[_Iterable[_Union[OpenRequest, _Mapping]]] = ...) -> None: ...

class Release(_message.Message):
    __slots__ = ("execution", "epoch")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    execution: str
    epoch: int
    def __init__(self, execution: _Optional[str] = ..., epoch: _Optional[int] = ...) -> None: ...

class Push(_message.Message):
    __slots__ = ("ack", "signal", "go_away")
    ACK_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    GO_AWAY_FIELD_NUMBER: _ClassVar[int]
    ack: Ack
    signal: Item
    go_away: GoAway
    def __init__(self, ack: _Optional[_Union[Ack, _Mapping]] = ..., signal: _Optional[_Union[Item, _Mapping]] = ..., go_away: _Optional[_Union[GoAway, _Mapping]] = ...) -> None: ...

class Ack(_message.Message):
    __slots__ = ("sequence", "refused", "opened")
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    REFUSED_FIELD_NUMBER: _ClassVar[int]
    OPENED_FIELD_NUMBER: _ClassVar[int]
    sequence: int
    refused: _containers.RepeatedCompositeFieldContainer[Refusal]
    opened: _containers.RepeatedCompositeFieldContainer[Opened]
    def __init__(self, sequence: _Optional[int] = ..., refused: _Optional[_Iterable[_Union[Refusal, _Mapping]]] = ..., opened: _Optional[_Iterable[_Union[Opened, _Mapping]]] = ...) -> None: ...

class Opened(_message.Message):
    __slots__ = ("execution", "epoch", "tail")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TAIL_FIELD_NUMBER: _ClassVar[int]
    execution: str
    epoch: int
    tail: _containers.RepeatedCompositeFieldContainer[Record]
    def __init__(self, execution: _Optional[str] = ..., epoch: _Optional[int] = ..., tail: _Optional[_Iterable[_Union[Record, _Mapping]]] = ...) -> None: ...

class Refusal(_message.Message):
    __slots__ = ("execution", "epoch", "reason", "detail")
    class Reason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
        __slots__ = ()
        REASON_UNSPECIFIED: _ClassVar[Refusal.Reason]
        FENCED: _ClassVar[Refusal.Reason]
        INVALID: _ClassVar[Refusal.Reason]
        BEHIND: _ClassVar[Refusal.Reason]
    REASON_UNSPECIFIED: Refusal.Reason
    FENCED: Refusal.Reason
    INVALID: Refusal.Reason
    BEHIND: Refusal.Reason
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAIL_FIELD_NUMBER: _ClassVar[int]
    execution: str
    epoch: int
    reason: Refusal.Reason
    detail: str
    def __init__(self, execution: _Optional[str] = ..., epoch: _Optional[int] = ..., reason: _Optional[_Union[Refusal.Reason, str]] = ..., detail: _Optional[str] = ...) -> None: ...

class GoAway(_message.Message):
    __slots__ = ("reason",)
    REASON_FIELD_NUMBER: _ClassVar[int]
    reason: str
    def __init__(self, reason: _Optional[str] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("execution", "epoch", "body")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    execution: str
    epoch: int
    body: bytes
    def __init__(self, execution: _Optional[str] = ..., epoch: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...

class SignalRequest(_message.Message):
    __slots__ = ("item",)
    ITEM_FIELD_NUMBER: _ClassVar[int]
    item: Item
    def __init__(self, item: _Optional[_Union[Item, _Mapping]] = ...) -> None: ...

class SignalReply(_message.Message):
    __slots__ = ("delivered",)
    DELIVERED_FIELD_NUMBER: _ClassVar[int]
    delivered: bool
    def __init__(self, delivered: _Optional[bool] = ...) -> None: ...

class LeasesRequest(_message.Message):
    __slots__ = ("executions",)
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, executions: _Optional[_Iterable[str]] = ...) -> None: ...

class Lease(_message.Message):
    __slots__ = ("execution", "epoch", "alive", "closed", "owner")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    ALIVE_FIELD_NUMBER: _ClassVar[int]
    CLOSED_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    execution: str
    epoch: int
    alive: bool
    closed: Closed
    owner: str
    def __init__(self, execution: _Optional[str] = ..., epoch: _Optional[int] = ..., alive: _Optional[bool] = ..., closed: _Optional[_Union[Closed, _Mapping]] = ..., owner: _Optional[str] = ...) -> None: ...

class LeasesReply(_message.Message):
    __slots__ = ("leases",)
    LEASES_FIELD_NUMBER: _ClassVar[int]
    leases: _containers.RepeatedCompositeFieldContainer[Lease]
    def __init__(self, leases: _Optional[_Iterable[_Union[Lease, _Mapping]]] = ...) -> None: ...

class ReadJournalRequest(_message.Message):
    __slots__ = ("execution", "after", "limit")
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    AFTER_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    execution: str
    after: int
    limit: int
    def __init__(self, execution: _Optional[str] = ..., after: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ReadJournalReply(_message.Message):
    __slots__ = ("records", "more")
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    records: _containers.RepeatedCompositeFieldContainer[Record]
    more: bool
    def __init__(self, records: _Optional[_Iterable[_Union[Record, _Mapping]]] = ..., more: _Optional[bool] = ...) -> None: ...

class ForkJournalRequest(_message.Message):
    __slots__ = ("origin", "upto", "execution", "body")
    ORIGIN_FIELD_NUMBER: _ClassVar[int]
    UPTO_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    origin: str
    upto: int
    execution: str
    body: bytes
    def __init__(self, origin: _Optional[str] = ..., upto: _Optional[int] = ..., execution: _Optional[str] = ..., body: _Optional[bytes] = ...) -> None: ...

class ForkJournalReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class DropJournalsRequest(_message.Message):
    __slots__ = ("executions", "forget")
    EXECUTIONS_FIELD_NUMBER: _ClassVar[int]
    FORGET_FIELD_NUMBER: _ClassVar[int]
    executions: _containers.RepeatedScalarFieldContainer[str]
    forget: bool
    def __init__(self, executions: _Optional[_Iterable[str]] = ..., forget: _Optional[bool] = ...) -> None: ...

class DropJournalsReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WorkflowOutline(_message.Message):
    __slots__ = ("namespace", "workflow", "version", "deployed_at", "body")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    DEPLOYED_AT_FIELD_NUMBER: _ClassVar[int]
    BODY_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    workflow: str
    version: str
    deployed_at: int
    body: bytes
    def __init__(self, namespace: _Optional[str] = ..., workflow: _Optional[str] = ..., version: _Optional[str] = ..., deployed_at: _Optional[int] = ..., body: _Optional[bytes] = ...) -> None: ...

class PutOutlineReply(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class PayloadRef(_message.Message):
    __slots__ = ("namespace", "execution", "sha256", "size")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    execution: str
    sha256: str
    size: int
    def __init__(self, namespace: _Optional[str] = ..., execution: _Optional[str] = ..., sha256: _Optional[str] = ..., size: _Optional[int] = ...) -> None: ...

class PayloadChunk(_message.Message):
    __slots__ = ("ref", "data")
    REF_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ref: PayloadRef
    data: bytes
    def __init__(self, ref: _Optional[_Union[PayloadRef, _Mapping]] = ..., data: _Optional[bytes] = ...) -> None: ...

class DropPayloadsRequest(_message.Message):
    __slots__ = ("namespace", "execution", "sha256", "all")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    ALL_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    execution: str
    sha256: _containers.RepeatedScalarFieldContainer[str]
    all: bool
    def __init__(self, namespace: _Optional[str] = ..., execution: _Optional[str] = ..., sha256: _Optional[_Iterable[str]] = ..., all: _Optional[bool] = ...) -> None: ...

class DropPayloadsReply(_message.Message):
    __slots__ = ("dropped",)
    DROPPED_FIELD_NUMBER: _ClassVar[int]
    dropped: int
    def __init__(self, dropped: _Optional[int] = ...) -> None: ...

class Subject(_message.Message):
    __slots__ = ("namespace", "workflow", "version", "execution")
    NAMESPACE_FIELD_NUMBER: _ClassVar[int]
    WORKFLOW_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_FIELD_NUMBER: _ClassVar[int]
    namespace: str
    workflow: str
    version: str
    execution: str
    def __init__(self, namespace: _Optional[str] = ..., workflow: _Optional[str] = ..., version: _Optional[str] = ..., execution: _Optional[str] = ...) -> None: ...

class TaskFact(_message.Message):
    __slots__ = ("subject", "number", "task", "name", "reference", "kind", "status", "at", "attempt", "error", "keys", "effect", "active_ms", "bytes_in", "bytes_out", "duration_ms", "wait", "input_tokens", "output_tokens")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    KEYS_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_MS_FIELD_NUMBER: _ClassVar[int]
    BYTES_IN_FIELD_NUMBER: _ClassVar[int]
    BYTES_OUT_FIELD_NUMBER: _ClassVar[int]
    DURATION_MS_FIELD_NUMBER: _ClassVar[int]
    WAIT_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    number: int
    task: str
    name: str
    reference: str
    kind: str
    status: str
    at: int
    attempt: int
    error: bytes
    keys: bytes
    effect: str
    active_ms: float
    bytes_in: int
    bytes_out: int
    duration_ms: float
    wait: bytes
    input_tokens: int
    output_tokens: int
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., number: _Optional[int] = ..., task: _Optional[str] = ..., name: _Optional[str] = ..., reference: _Optional[str] = ..., kind: _Optional[str] = ..., status: _Optional[str] = ..., at: _Optional[int] = ..., attempt: _Optional[int] = ..., error: _Optional[bytes] = ..., keys: _Optional[bytes] = ..., effect: _Optional[str] = ..., active_ms: _Optional[float] = ..., bytes_in: _Optional[int] = ..., bytes_out: _Optional[int] = ..., duration_ms: _Optional[float] = ..., wait: _Optional[bytes] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ...) -> None: ...

class LogLine(_message.Message):
    __slots__ = ("subject", "at", "level", "message", "task", "fields", "id")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TASK_FIELD_NUMBER: _ClassVar[int]
    FIELDS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    at: int
    level: str
    message: str
    task: str
    fields: bytes
    id: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., at: _Optional[int] = ..., level: _Optional[str] = ..., message: _Optional[str] = ..., task: _Optional[str] = ..., fields: _Optional[bytes] = ..., id: _Optional[str] = ...) -> None: ...

class MetricSample(_message.Message):
    __slots__ = ("subject", "at", "name", "value", "labels", "id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    NAME_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    ID_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    at: int
    name: str
    value: float
    labels: _containers.ScalarMap[str, str]
    id: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., at: _Optional[int] = ..., name: _Optional[str] = ..., value: _Optional[float] = ..., labels: _Optional[_Mapping[str, str]] = ..., id: _Optional[str] = ...) -> None: ...

class InvocationUsage(_message.Message):
    __slots__ = ("subject", "epoch", "at", "active_ms", "cpu_ms", "memory_bytes", "cold_start", "cold_start_ms", "queueing_ms", "turns", "effects", "records", "bytes_in", "bytes_out", "effect_kinds", "input_tokens", "output_tokens")
    class EffectKindsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    AT_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_MS_FIELD_NUMBER: _ClassVar[int]
    CPU_MS_FIELD_NUMBER: _ClassVar[int]
    MEMORY_BYTES_FIELD_NUMBER: _ClassVar[int]
    COLD_START_FIELD_NUMBER: _ClassVar[int]
    COLD_START_MS_FIELD_NUMBER: _ClassVar[int]
    QUEUEING_MS_FIELD_NUMBER: _ClassVar[int]
    TURNS_FIELD_NUMBER: _ClassVar[int]
    EFFECTS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    BYTES_IN_FIELD_NUMBER: _ClassVar[int]
    BYTES_OUT_FIELD_NUMBER: _ClassVar[int]
    EFFECT_KINDS_FIELD_NUMBER: _ClassVar[int]
    INPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    OUTPUT_TOKENS_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    epoch: int
    at: int
    active_ms: float
    cpu_ms: float
    memory_bytes: int
    cold_start: bool
    cold_start_ms: float
    queueing_ms: float
    turns: int
    effects: int
    records: int
    bytes_in: int
    bytes_out: int
    effect_kinds: _containers.ScalarMap[str, int]
    input_tokens: int
    output_tokens: int
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., epoch: _Optional[int] = ..., at: _Optional[int] = ..., active_ms: _Optional[float] = ..., cpu_ms: _Optional[float] = ..., memory_bytes: _Optional[int] = ..., cold_start: _Optional[bool] = ..., cold_start_ms: _Optional[float] = ..., queueing_ms: _Optional[float] = ..., turns: _Optional[int] = ..., effects: _Optional[int] = ..., records: _Optional[int] = ..., bytes_in: _Optional[int] = ..., bytes_out: _Optional[int] = ..., effect_kinds: _Optional[_Mapping[str, int]] = ..., input_tokens: _Optional[int] = ..., output_tokens: _Optional[int] = ...) -> None: ...

class ExecutionChange(_message.Message):
    __slots__ = ("subject", "version_number", "phase", "created_at", "started_at", "ended_at", "error", "parent", "epoch", "tags", "reason", "facts", "parent_task")
    class TagsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    VERSION_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PHASE_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    STARTED_AT_FIELD_NUMBER: _ClassVar[int]
    ENDED_AT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    PARENT_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    TAGS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FACTS_FIELD_NUMBER: _ClassVar[int]
    PARENT_TASK_FIELD_NUMBER: _ClassVar[int]
    subject: Subject
    version_number: int
    phase: str
    created_at: int
    started_at: int
    ended_at: int
    error: bytes
    parent: str
    epoch: int
    tags: _containers.ScalarMap[str, str]
    reason: str
    facts: _containers.RepeatedCompositeFieldContainer[TaskFact]
    parent_task: str
    def __init__(self, subject: _Optional[_Union[Subject, _Mapping]] = ..., version_number: _Optional[int] = ..., phase: _Optional[str] = ..., created_at: _Optional[int] = ..., started_at: _Optional[int] = ..., ended_at: _Optional[int] = ..., error: _Optional[bytes] = ..., parent: _Optional[str] = ..., epoch: _Optional[int] = ..., tags: _Optional[_Mapping[str, str]] = ..., reason: _Optional[str] = ..., facts: _Optional[_Iterable[_Union[TaskFact, _Mapping]]] = ..., parent_task: _Optional[str] = ...) -> None: ...
