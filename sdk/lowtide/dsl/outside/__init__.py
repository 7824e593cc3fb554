"""What a document refers to outside itself: functions of catalogs and by URL, schemas by resource.

``references``  the nouns: what is needed, what was found, who asked
``addresses``   where a catalog keeps a function; pages of GitHub and GitLab -> the raw text behind them
``text``        what was fetched, read
``functions``   a function's own document -> a checked draft
``schemas``     a schema's text -> JSON, and what is wrong with it
``builtin``     the functions that every default catalog has
``pinning``     all of it together, round by round, without any I/O

Nothing here fetches: :class:`lowtide.effects.outside.Fetcher` does, when a version is deployed or before
``lowtide run`` begins. A plan then holds the content, so that every execution of a version sees the same.
"""
