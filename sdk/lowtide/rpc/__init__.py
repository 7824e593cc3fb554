"""gRPC contracts: ``.proto`` files and the stubs generated from them (``make stubs``; a test holds them together)."""
