"""Presence: who is here, and who comes and goes."""
