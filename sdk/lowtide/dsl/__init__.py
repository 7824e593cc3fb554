"""The language: text -> checked document -> plan.

``check``       everything that is wrong with a document, and its plan when nothing is
``plan``        the plan, or :class:`lowtide.errors.InvalidDocument` with all mistakes

``load``        YAML 1.2 and JSON to nodes that know their line and column (``source``, ``tree``, ``scalars``)
``models``      the grammar of DSL 1.0.3 as pydantic models, one small file per construct
``validate``    the models' complaints as problems that say where, what was expected, and how to mend it
``lint``        what the grammar cannot say: references, names, flow, expressions; one small function per rule
``normalise``   nodes to :class:`lowtide.model.plan.Plan`
``outside``     what a document refers to outside itself: functions of catalogs, schemas by resource
``draw``        a plan as Mermaid, as a tree for a terminal, as a graph
"""

from lowtide.dsl.checked import Checked
from lowtide.dsl.checking import check, plan
from lowtide.dsl.outside.pinning import Pinning
from lowtide.dsl.problem import Problem

__all__ = ["Checked", "Pinning", "Problem", "check", "plan"]
