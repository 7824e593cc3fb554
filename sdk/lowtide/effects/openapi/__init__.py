"""``call: openapi`` (dsl-reference.md, "OpenAPI Call"): OpenAPI 3.0, 3.1 and Swagger 2.0, in JSON or YAML.

``call``         the effect: document -> operation -> the arguments of an HTTP call, which ``call: http`` performs
``document``     text -> an :class:`OpenApi`; references within it
``operation``    an operation by its id, with what its path and its document add to it
``server``       where it is served: ``servers``, or ``schemes``, ``host`` and ``basePath``
``parameters``   values -> path, query, headers and cookies, by the parameter's style
``body``         values -> the request's body and its content type
``security``     what the document says of keys, and the authentication that the workflow gives
"""

from lowtide.effects.openapi.call import OpenApiCall

__all__ = ["OpenApiCall"]
