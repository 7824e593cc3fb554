"""``call: asyncapi`` (dsl-reference.md, "AsyncAPI Call"): AsyncAPI 2 and 3, in JSON or YAML.

``call``       the effect: a document and arguments -> a message published, or the next messages of a subscription
``document``   text -> an :class:`AsyncApi`; its channels and operations
``server``     the server to speak to, its variables filled in
``target``     both together: all that a document says of one call
``message``    JSON <-> what protocols carry
``link``       a target with its address checked and its credentials: what protocols are given
``session``    subscriptions that stay open between two commands of the engine
``protocols``  which file below speaks which protocol, and what it needs to be installed

``http`` ``ws`` ``nats`` ``kafka`` ``mqtt`` ``amqp`` ``redis``: one protocol each. All have the same two verbs,
``publish(link, message)`` and ``subscribe(link, cursor)``; each says what it promises about messages.
"""

from lowtide.effects.asyncapi.call import AsyncApiCall

__all__ = ["AsyncApiCall"]
