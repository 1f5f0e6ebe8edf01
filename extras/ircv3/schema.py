"""The tables of the database, one script for each version: what we keep on disk.

The number of a script, from 1 on, is the version of a database that has been through it (SQLite's
`user_version`).  To change a table, add a script at the end: one that others may have run already
is never changed.  Each script says which module reads its tables.
"""

MIGRATIONS: list[str] = [
    # accounts.py
    """
    CREATE TABLE account (
        key TEXT PRIMARY KEY,  -- the folded name
        name TEXT NOT NULL,
        secret TEXT NOT NULL,  -- the hash of the password
        salt BLOB NOT NULL, rounds INTEGER NOT NULL, stored BLOB NOT NULL, server BLOB NOT NULL,  -- for SCRAM
        email TEXT NOT NULL,
        created_at REAL NOT NULL
    );
    CREATE TABLE fingerprint (
        value TEXT PRIMARY KEY,  -- of a client's certificate
        account TEXT NOT NULL REFERENCES account ON DELETE CASCADE
    );
    CREATE INDEX fingerprints ON fingerprint (account);
    CREATE TABLE setting (name TEXT PRIMARY KEY, value BLOB NOT NULL);
    """,
]
