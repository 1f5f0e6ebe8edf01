"""Step 1: an echo server, where bytes go out and the same bytes come back."""
