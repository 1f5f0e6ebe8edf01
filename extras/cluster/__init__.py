"""Cluster: many servers that are one chat, with Redis between them."""
