"""What may be wrong with the store's file, in our words; and the way out of the worst of it."""

from __future__ import annotations

import sqlite3

from engine.errors import Unavailable


def is_mistake(error: sqlite3.DatabaseError) -> bool:
    """Whether what was asked is at fault, and not the disk."""
    mistakes = (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.DataError)
    return isinstance(error, mistakes) or getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR"


def empty_log(con: sqlite3.Connection) -> None:
    """Copy all that the log counts into the store, and begin a new log. Raises Unavailable while anyone reads it."""
    con.execute("PRAGMA busy_timeout = 0")
    busy, _, _ = con.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    con.execute("PRAGMA busy_timeout = 5000")
    if busy:
        text = "a sync of the store's log failed, and the log cannot be replaced while another process reads the store"
        raise Unavailable("store.busy", text, hint="end the backup or the sqlite3 shell; the store goes on by itself")


def unavailable(error: Exception) -> Unavailable:
    """SQLite's own code says which of ours it is; its text may name files and is left out."""
    if isinstance(error, Unavailable):
        return error
    name = getattr(error, "sqlite_errorname", "") or type(error).__name__
    if name.startswith("SQLITE_FULL"):
        return Unavailable("store.full", "the store's disk is full", hint="make room; the store goes on by itself")
    if name.startswith("SQLITE_BUSY"):
        hint = "end it; the store goes on by itself"
        return Unavailable("store.busy", "another process writes to the store", hint=hint)
    return Unavailable("store.write", f"the store could not be written ({name})", hint="see the disk's health")
