"""Step 3: the protocol, as pure functions: what the bytes mean."""
