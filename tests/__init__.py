"""Tests: one file a step, one a part of the extras."""
