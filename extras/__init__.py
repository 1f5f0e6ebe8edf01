"""Programs that stand on the six steps."""
