"""What the suites share: where the gateway is, waiting on facts, and checking what came over the wire."""
