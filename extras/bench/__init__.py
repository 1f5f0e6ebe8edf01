"""Bench: how fast our servers are, measured beside others."""
