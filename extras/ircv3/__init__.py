"""What today's IRC clients ask for beyond the core: one module for each feature."""
