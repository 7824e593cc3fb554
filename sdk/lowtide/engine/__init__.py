"""The pure engine: a workflow execution is a fold over events (architecture, section 1).

``turn``      the verbs: begin, resume, fold
``flow``      how tasks are entered, go on, end and follow each other
``tasks/``    one file per task kind: the listing is the feature list
``extensions`` the tasks of ``use.extensions`` around those that they extend
``render``    templates -> values, schemas
``depth``     how deep data may be nested
``scope``     the variables that expressions see
``frames``    the tree of frames: copy, walk, cancel
``shifting``  time that does not count
``matching``  whether an event matches a filter
``host``      what the engine asks of its process
``run``       a turn in progress

No clock, no I/O, no randomness, no global state; nothing here imports a layer above ``model``.
"""

from lowtide.engine.host import ExpressionFailed, Host, WouldWait
from lowtide.engine.turn import Turn, begin, fold, resume

__all__ = ["ExpressionFailed", "Host", "Turn", "WouldWait", "begin", "fold", "resume"]
