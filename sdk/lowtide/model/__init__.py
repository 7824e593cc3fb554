"""The nouns: what every part of Lowtide talks about. No behaviour that does I/O, no dependency but msgspec.

``plan``        the checked, normalised workflow that the engine runs: tasks, templates, durations
``error``       the workflow error (RFC 9457 shape) and the standard's eight types
``duration``    ISO 8601 and object durations to milliseconds
``phase``       the standard's status phases
``command``     what the engine wants done
``event``       what happened, fed to the engine
``fact``        what the timeline shows
``state``       the engine's serialisable tree of frames, and outcomes
``usage``       what an invocation cost
``cost``        what usage costs by a price list, and what always on would
``sketch``      percentiles that can be added up
``timeline``    facts folded into one row per entry of a task
``drawing``     a graph as Mermaid and as DOT

Nouns are ``msgspec.Struct``: slotted, quick to build, and their JSON codec comes with them, so that the same classes
travel in a dispatch and live in the engine (see ``docs/decisions/0002-structs-for-nouns.md``).
"""
