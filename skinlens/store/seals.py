"""Seal of a row: a checksum kept up by triggers, and the view that says of each row whether its seal fits."""

import hashlib
from collections.abc import Sequence

from sqlite_utils.db import Database


def seal(*values: object) -> str:
    """The checksum of a row: of the table's name and of all values, each exactly as it is stored."""
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()


def seal_table(db: Database, table: str) -> None:
    """Make the triggers and the view anew, for the columns that the table has now, and seal the rows in it."""
    db.conn.create_function("seal", -1, seal, deterministic=True)
    columns = {row["name"]: row["type"] for row in db.query(f"PRAGMA table_info({table})") if row["name"] != "seal"}
    # As bytes: damaged text that is no UTF-8 has to reach the function as well.
    values = [f"CAST({name} AS BLOB)" if kind == "TEXT" else name for name, kind in columns.items()]
    fitting = f"seal('{table}', {', '.join(values)})"
    db.executescript(f"""
        DROP TRIGGER IF EXISTS {table}_sealed_new;
        DROP TRIGGER IF EXISTS {table}_sealed_again;
        DROP VIEW IF EXISTS sealed_{table};

        CREATE TRIGGER {table}_sealed_new AFTER INSERT ON {table} BEGIN
            UPDATE {table} SET seal = {fitting} WHERE rowid = new.rowid;
        END;

        CREATE TRIGGER {table}_sealed_again AFTER UPDATE OF {", ".join(columns)} ON {table} BEGIN
            UPDATE {table} SET seal = {fitting} WHERE rowid = new.rowid;
        END;

        CREATE VIEW sealed_{table} AS SELECT {", ".join(columns)}, seal IS {fitting} AS sound FROM {table};

        UPDATE {table} SET seal = {fitting};
    """)


def add_columns(db: Database, table: str, columns: Sequence[str], fill: str = "") -> None:
    """Add columns to a table whose rows are sealed. A row that was damaged before is not sealed as if it were whole.

    ``fill``: a statement that gives the rows that are there their values.
    """
    damaged = [row["id"] for row in db.query(f"SELECT id FROM sealed_{table} WHERE NOT sound")]
    for column in columns:
        db.execute(f"ALTER TABLE {table} ADD COLUMN {column}")
    if fill:
        db.execute(fill)
    seal_table(db, table)
    for number in damaged:
        db.execute(f"UPDATE {table} SET seal = 'damaged' WHERE id = ?", [number])
