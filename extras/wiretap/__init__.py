"""Wiretap: a proxy that shows the chunks, and can disturb the stream."""
