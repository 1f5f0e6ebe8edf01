"""Step 2: a client that reads and writes at the same time."""
