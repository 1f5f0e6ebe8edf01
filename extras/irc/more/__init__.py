"""More commands of the core's kind, which it can do without: each file is an extension."""
