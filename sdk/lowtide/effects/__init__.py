"""The only code that talks to the world on a workflow's behalf: one file per call kind, ``auth/`` one per scheme.

``table``    which effect performs which call; :func:`build` puts the usual one together
``http``     ``call: http``
``content``  bodies <-> JSON by content type
``address``  which addresses a workflow may reach
"""

from lowtide.effects.table import EffectTable, build

__all__ = ["EffectTable", "build"]
