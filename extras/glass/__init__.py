"""The glass server: watch threads, buffers, the lock and the outboxes at work, in a browser."""
