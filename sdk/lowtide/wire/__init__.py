"""Bytes <-> nouns: CloudEvents, the dispatch and its answers, protobuf, MACs.

``types``        event type names, extension names, payload nouns: the one place where they are spelled
``cloudevents``  HTTP requests and responses <-> CloudEvents, strictly
``attributes``   what the standard allows in a CloudEvent's attributes
``json``         the JSON codec of all nouns
``states``       a state as it is written, in every format of a snapshot
``upcasting``    what older formats of a snapshot become
``problem``      errors -> problem documents (RFC 9457), free of any web framework
``bodies``       how large a request may be, likewise
``masking``      secrets made unreadable in what people see
``mac``          message authentication of dispatches and outcomes
``claims``       references to what is too large to travel
``records``      what travels between an owner and the journal
``protobuf``     journal records, history and usage <-> protobuf
``sse``          server-sent events, read
"""
