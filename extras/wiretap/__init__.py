"""Wiretap: a proxy that shows the chunks, and can spoil them."""
