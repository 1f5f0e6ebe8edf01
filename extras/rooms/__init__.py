"""Rooms: one message to those who chose to hear it."""
