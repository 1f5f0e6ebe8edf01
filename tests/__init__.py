"""Tests: one file for each step, and one for each part of the extras."""
