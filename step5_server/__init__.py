"""Step 5: the chat server: many users, one lock, an outbox each."""
