"""IRC: a server that standard clients connect to."""
