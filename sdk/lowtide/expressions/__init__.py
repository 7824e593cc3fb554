"""jq behind one small interface: the engine's :class:`lowtide.engine.host.Host`.

``program``  text -> a compiled jq program with the guard prelude, cached
``simple``   small programs as Python functions, which give what jq gives
``cost``     which programs are cheap enough to run in this process
``worker``   a handle on the process that runs the others and is killed when one takes too long
``child``    that process
``host``     puts them together; JSON Schema validation; secrets; ``$runtime``
``secrets``  secrets from a mounted folder
"""

from lowtide.expressions.host import JqHost, Limits

__all__ = ["JqHost", "Limits"]
