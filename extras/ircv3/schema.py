"""The tables of the database, one script for each version: what we keep on disk.

The number of a script, from 1 on, is the version of a database that has been through it (SQLite's
`user_version`).  To change a table, add a script at the end: one that others may have run already
is never changed.  Each script says which module reads its tables.
"""

MIGRATIONS: list[str] = []
