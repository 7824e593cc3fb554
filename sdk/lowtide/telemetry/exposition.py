"""Measures as Prometheus reads them, by its own library, imported when the first reader comes (extra ``metrics``)."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, assert_never

from lowtide.errors import Misconfigured
from lowtide.telemetry.measures import Count, Labels, Measure, Reading, Spread

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

__all__ = ["check_installed", "exposition"]


def check_installed() -> None:
    """Raises :class:`lowtide.errors.Misconfigured` where the library is missing; imports nothing."""
    if importlib.util.find_spec("prometheus_client") is None:
        raise Misconfigured(
            "LOWTIDE_METRICS_PORT is set, and what it needs is not installed: install lowtide[metrics], or unset it"
        )


def exposition(measures: Iterable[Measure], accept: str = "") -> tuple[str, bytes]:
    """Content type and body in the newest form that ``accept`` (the header of HTTP) names; the process's own
    processor time, memory and open files come with them."""
    from prometheus_client import CollectorRegistry, ProcessCollector
    from prometheus_client.exposition import choose_encoder

    families = [_family(measure) for measure in measures]

    class Collected:
        def collect(self) -> Iterator[Metric]:
            yield from families

    registry = CollectorRegistry()
    registry.register(Collected())
    ProcessCollector(registry=registry)
    encode, content_type = choose_encoder(accept)
    return content_type, encode(registry)


def _family(measure: Measure) -> Metric:
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    match measure:
        case Count():
            counter = CounterMetricFamily(measure.name, measure.about, labels=measure.labels)
            for labels, value in measure.values.items():
                counter.add_metric(labels, value)
            return counter
        case Spread():
            histogram = HistogramMetricFamily(measure.name, measure.about, labels=measure.labels)
            names = [*(repr(bound) for bound in measure.bounds), "+Inf"]
            for labels, buckets in measure.buckets.items():
                below = list(zip(names, map(float, accumulate(buckets)), strict=True))
                histogram.add_metric(labels, below, measure.sums[labels])
            return histogram
        case Reading():
            kind = CounterMetricFamily if measure.kind == "counter" else GaugeMetricFamily
            family = kind(measure.name, measure.about, labels=measure.labels)
            for labels, value in _read(measure):
                family.add_metric(labels, value)
            return family
        case _:
            assert_never(measure)


def _read(measure: Reading) -> Iterable[tuple[Labels, float]]:
    found = measure.read()
    return (((), float(found)),) if isinstance(found, int | float) else found
