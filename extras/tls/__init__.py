"""Extra: TLS, so that nobody on the way can read or change what is said."""
