"""Step 6: the client for people."""
