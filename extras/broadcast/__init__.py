"""Broadcast: one message to everyone."""
