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
    # messages.py
    """
    CREATE TABLE message (
        number INTEGER PRIMARY KEY,  -- the order in which they came
        time INTEGER NOT NULL,  -- milliseconds
        id TEXT NOT NULL,
        reader BLOB NOT NULL,  -- empty: the members of the channel; else one end of a private message
        target BLOB NOT NULL,  -- the channel, or the other end
        shown BLOB NOT NULL,  -- the target as people write it
        author BLOB NOT NULL,  -- who may take it back
        life INTEGER NOT NULL,  -- 0, or the life of the channel in which alone it may be read
        kind INTEGER NOT NULL,
        line BLOB NOT NULL
    );
    CREATE INDEX message_of_target ON message (reader, target, time, number);
    CREATE INDEX message_id ON message (id);
    """,
    # always.py
    """
    CREATE TABLE always (
        account TEXT PRIMARY KEY,  -- folded
        stays INTEGER, shares INTEGER,  -- what it has chosen; NULL: nothing
        state TEXT,  -- JSON: its user; NULL if that is not here
        seen_at REAL  -- when the user's last session ended; NULL while it has one
    );
    """,
    # read_marker.py
    """
    CREATE TABLE read_marker (
        reader BLOB NOT NULL,  -- the account
        target BLOB NOT NULL,
        time INTEGER NOT NULL,  -- milliseconds
        PRIMARY KEY (reader, target)
    ) WITHOUT ROWID;
    """,
    # metadata.py
    """
    CREATE TABLE metadata (
        account TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (account, key)
    );
    """,
    # founders.py
    """
    CREATE TABLE channel (
        number INTEGER PRIMARY KEY,
        state TEXT NOT NULL  -- JSON
    );
    """,
]
