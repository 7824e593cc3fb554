"""Version 1 of the contract between execute, orchestrate and ingest. The package path is the ``.proto``'s path."""
