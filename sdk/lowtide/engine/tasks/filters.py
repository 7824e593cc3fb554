"""A ``listen``'s strategy -> the filters that an ``Await`` carries."""

from __future__ import annotations

from lowtide.engine.render import render
from lowtide.engine.run import Run
from lowtide.engine.scope import Scope
from lowtide.model.base import JSON
from lowtide.model.command import AwaitCorrelation, AwaitFilter
from lowtide.model.plan import Correlation, EventFilter, Expression, Strategy
from lowtide.model.state import ListenBody

__all__ = ["await_filters", "strategy_needs"]


def strategy_needs(strategy: Strategy, taken: list[int]) -> set[int]:
    """The filters that must still match before the strategy is satisfied; empty when it is."""
    if strategy.mode == "all":
        return set(range(len(strategy.filters))) - set(taken)
    return set() if taken else set(range(max(1, len(strategy.filters))))


def await_filters(run: Run, strategy: Strategy, body: ListenBody, scope: Scope, value: JSON) -> tuple[AwaitFilter, ...]:
    """The filters that are still open, with what is known of their correlations."""
    open_ended = strategy.until_condition is not None or strategy.until_strategy is not None
    wanted = set(range(max(1, len(strategy.filters)))) if open_ended else strategy_needs(strategy, body.filters)
    filters = [
        _await_filter(run, item, index, scope, value)
        for index, item in enumerate(strategy.filters or (EventFilter(with_={}),))
        if index in wanted
    ]
    until = strategy.until_strategy
    if until is not None:
        needs = strategy_needs(until, [-1 - index for index in body.until])
        filters += [
            _await_filter(run, item, -1 - index, scope, value)
            for index, item in enumerate(until.filters or (EventFilter(with_={}),))
            if index in needs
        ]
    return tuple(filters)


def _await_filter(run: Run, event_filter: EventFilter, index: int, scope: Scope, value: JSON) -> AwaitFilter:
    expressions = {
        name: template.source for name, template in event_filter.with_.items() if isinstance(template, Expression)
    }
    literals = {
        name: render(run, template, value, scope)
        for name, template in event_filter.with_.items()
        if not isinstance(template, Expression)
    }
    programs = [*expressions.values(), *(item.from_.source for item in event_filter.correlate.values())]
    names = {name for program in programs for name in run.host.names(program)}
    return AwaitFilter(
        index=index,
        with_=literals,
        expressions=expressions,
        variables=scope.bound(sorted(names)),
        correlate={key: _correlation(run, key, item, scope, value) for key, item in event_filter.correlate.items()},
    )


def _correlation(run: Run, key: str, correlation: Correlation, scope: Scope, value: JSON) -> AwaitCorrelation:
    if correlation.expect is not None:
        expected = render(run, correlation.expect, value, scope)
        return AwaitCorrelation(from_=correlation.from_.source, known=True, expect=expected)
    if key in run.state.correlations:
        return AwaitCorrelation(from_=correlation.from_.source, known=True, expect=run.state.correlations[key])
    return AwaitCorrelation(from_=correlation.from_.source)
