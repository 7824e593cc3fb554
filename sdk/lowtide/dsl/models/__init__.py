"""The grammar of DSL 1.0.3, typed. ``Workflow`` is the whole document.

``workflow``     document, use, schedule, evaluate      ``task`` ``tasks``  what tasks share; all kinds as one type
``simple``       set, wait, raise, emit, switch          ``composite``       do, for, fork, listen, try
``run``          container, script, shell, workflow      ``calls/``          one per kind of call
``authentication`` ``resource`` ``dataflow`` ``event`` ``error`` ``retry`` ``values``   the parts that they share
``base``         how choices are made so that a mistake is reported once

Models say what the grammar allows, and where we are more generous than the schema of the standard (numbers as header
values, lists of anything in ``for.in``, computed statuses). What needs to look around is in :mod:`lowtide.dsl.lint`.
"""

from lowtide.dsl.models.workflow import DSL_VERSIONS, Workflow, built

__all__ = ["DSL_VERSIONS", "Workflow", "built"]
