"""Step 4: framing, where a stream of chunks becomes lines again."""
