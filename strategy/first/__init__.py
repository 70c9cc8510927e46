"""Smart Money Concepts, incremental: one module per concept, each value with `at` and `known_at`."""
