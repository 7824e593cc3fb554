"""What usage costs by a price list, and what the same traffic would cost on a service that is always on.

Pure functions over sums of usage; the formulas are told with their numbers (``Bill.formula``), and are in docs/cost.md.
"""

import math
from typing import Final, Literal

import msgspec

__all__ = [
    "PRESETS",
    "AlwaysOn",
    "Bill",
    "Prices",
    "Quantities",
    "always_on",
    "bill",
    "instances_for",
    "price",
    "price_of_tokens",
]


class Prices(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A price list. Amounts are in ``currency``; 1 GB is 2^30 bytes, as clouds bill it. Free tiers are not counted.

    ``basis``: *allocated* bills an instance of ``vcpus`` and ``memoryGb`` for the time in which an invocation is active
    or starts cold, as clouds do; *used* bills the processor time and memory that were measured, as on one's own.
    ``always...`` are prices of an instance that never ends; it serves ``concurrency`` invocations at once.
    """

    name: str
    currency: str = "USD"
    source: str = ""
    """Where the prices are published."""
    basis: Literal["allocated", "used"] = "allocated"
    vcpus: float = 1.0
    memory_gb: float = 0.5
    vcpu_second: float = 0.0
    gb_second: float = 0.0
    million_requests: float = 0.0
    million_tokens: float = 0.0
    million_input_tokens: float = 0.0
    million_output_tokens: float = 0.0
    always_vcpu_second: float = 0.0
    always_gb_second: float = 0.0
    concurrency: int = 20
    share: int = 20
    """Invocations that are billed together while they are active at once, because one instance serves them."""

    def __post_init__(self) -> None:
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            if isinstance(value, float | int) and not (value >= 0 and math.isfinite(value)):
                raise ValueError(f"{field.encode_name} must not be negative")
        if self.concurrency < 1 or self.share < 1:
            raise ValueError("concurrency and share must be at least 1")


PRESETS: Final = {
    preset.name: preset
    for preset in (
        Prices(
            name="google-cloud-run",
            source="https://cloud.google.com/run/pricing (tier 1; request-based against instance-based billing)",
            vcpu_second=0.000024,
            gb_second=0.0000025,
            million_requests=0.40,
            always_vcpu_second=0.000018,
            always_gb_second=0.000002,
        ),
        Prices(
            name="aws-lambda",
            source="https://aws.amazon.com/lambda/pricing, https://aws.amazon.com/fargate/pricing (us-east-1, x86)",
            vcpus=0.25,  # what a function of half a GB has, and the smallest size of Fargate
            gb_second=0.0000166667,
            million_requests=0.20,
            share=1,
            always_vcpu_second=0.04048 / 3600,
            always_gb_second=0.004445 / 3600,
        ),
    )
}
"""Published list prices by name. Lists change: give your own where it matters."""


class Quantities(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Sums of usage over invocations. ``instance_ms`` is for how long instances were active, where those that serve
    several at once count once (:attr:`Prices.share`); where it is not known, each invocation is taken to be alone."""

    invocations: int = 0
    cold_starts: int = 0
    active_ms: float = 0.0
    instance_ms: float | None = None
    cold_start_ms: float = 0.0
    cpu_ms: float = 0.0
    gb_seconds: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.output_tokens


class AlwaysOn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``peak`` invocations were active at once within ``seconds``: ``instances`` would have run all the time."""

    peak: int
    instances: int
    seconds: float
    price: float


class Bill(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``saving`` is that against always on, ``share`` the part of its price that is saved (negative: it costs more)."""

    price: float
    always_on: AlwaysOn
    saving: float
    share: float
    formula: list[str]


def price(of: Quantities, prices: Prices) -> float:
    """What these invocations cost by ``prices``."""
    vcpu_seconds, gb_seconds = _billed(of, prices)
    return (
        vcpu_seconds * prices.vcpu_second
        + gb_seconds * prices.gb_second
        + of.invocations / 1e6 * prices.million_requests
        + price_of_tokens(of.input_tokens, of.output_tokens, prices)
    )


def price_of_tokens(read: int, written: int, prices: Prices) -> float:
    """``million_tokens`` is for both kinds, besides those for one."""
    each = read * (prices.million_tokens + prices.million_input_tokens)
    return (each + written * (prices.million_tokens + prices.million_output_tokens)) / 1e6


def _billed(of: Quantities, prices: Prices) -> tuple[float, float]:
    """vCPU-seconds and GB-seconds."""
    if prices.basis == "used":
        return of.cpu_ms / 1000, of.gb_seconds
    seconds = _busy(of) + of.cold_start_ms / 1000
    return seconds * prices.vcpus, seconds * prices.memory_gb


def _busy(of: Quantities) -> float:
    return (of.active_ms if of.instance_ms is None else of.instance_ms) / 1000


def instances_for(peak: int, prices: Prices) -> int:
    """A service that is always on has at least one."""
    return max(1, math.ceil(peak / prices.concurrency))


def always_on(peak: int, seconds: float, prices: Prices) -> AlwaysOn:
    """The price of as many instances as the peak needs, for the whole window."""
    instances = instances_for(peak, prices)
    second = prices.vcpus * prices.always_vcpu_second + prices.memory_gb * prices.always_gb_second
    return AlwaysOn(peak=peak, instances=instances, seconds=seconds, price=instances * seconds * second)


def bill(of: Quantities, peak: int, seconds: float, prices: Prices) -> Bill:
    """What was paid in a window of ``seconds``, beside what always on would have cost."""
    paid, beside = price(of, prices), always_on(peak, seconds, prices)
    saving = beside.price - paid
    share = saving / beside.price if beside.price else 0.0
    formula = [*_paid(of, prices, paid), *_beside(beside, prices), f"saving = {beside.price:.6g} - {paid:.6g}"]
    return Bill(price=paid, always_on=beside, saving=saving, share=share, formula=formula)


def _paid(of: Quantities, prices: Prices, paid: float) -> list[str]:
    vcpu_seconds, gb_seconds = _billed(of, prices)
    terms = [
        f"{vcpu_seconds:.6g} vCPU-s x {prices.vcpu_second:g}",
        f"{gb_seconds:.6g} GB-s x {prices.gb_second:g}",
        f"{of.invocations} requests / 1e6 x {prices.million_requests:g}",
    ]
    if of.tokens:
        terms.append(f"{of.input_tokens} tokens read / 1e6 x {prices.million_tokens + prices.million_input_tokens:g}")
        written = f"{prices.million_tokens + prices.million_output_tokens:g}"
        terms.append(f"{of.output_tokens} tokens written / 1e6 x {written}")
    lines = [f"cost = {' + '.join(terms)} = {paid:.6g} {prices.currency}"]
    if prices.basis == "allocated":
        seconds = _busy(of) + of.cold_start_ms / 1000
        size = f"{prices.vcpus:g} vCPU and {prices.memory_gb:g} GB"
        lines.append(
            f"  billed time = {_busy(of):.6g} s busy + {of.cold_start_ms / 1000:.6g} s starting = "
            f"{seconds:.6g} s of {size}"
        )
        lines.append(
            f"  busy = {of.active_ms / 1000:.6g} s of invocations, up to {prices.share} of them at once in one instance"
        )
    return lines


def _beside(beside: AlwaysOn, prices: Prices) -> list[str]:
    return [
        f"always on = {beside.instances} instances x {beside.seconds:.6g} s x ({prices.vcpus:g} vCPU x "
        f"{prices.always_vcpu_second:.6g} + {prices.memory_gb:g} GB x {prices.always_gb_second:.6g}) = "
        f"{beside.price:.6g} {prices.currency}",
        f"  instances = {beside.peak} invocations at once / {prices.concurrency} per instance, rounded up",
    ]
