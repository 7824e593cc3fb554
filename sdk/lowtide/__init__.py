"""Lowtide: a serverless workflow engine that costs nothing while workflows wait.

What lives here: the shared core of the four deployables (nouns, language, engine, driver, wire formats, clients,
command line, laptop platform). What does not: the deployables themselves (``functions/``, ``analytics_api/``).
START HERE: ``ARCHITECTURE.md`` at the root of the repository.
"""

from lowtide.runtime.steps import step

__all__ = ["__version__", "step"]

__version__ = "0.1.0"
