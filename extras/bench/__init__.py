"""Bench: how fast it is, measured beside others."""
