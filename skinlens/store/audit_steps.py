"""Schema step of the audit chain: see ``migrations``, which lists it."""

from sqlite_utils.db import Database

from skinlens.store import chain


def m021_audit(db: Database) -> None:
    """The chain of entries, to which rows are only ever added; and the salts of revisions, which leave with them.

    Revisions from before are in no entry: the first one says up to which number.
    """
    db.executescript("""
        CREATE TABLE audit (
            id INTEGER PRIMARY KEY,
            previous TEXT NOT NULL,
            at TEXT NOT NULL,
            actor TEXT NOT NULL,
            action TEXT NOT NULL,
            object TEXT NOT NULL,
            number INTEGER,
            model_sha256 TEXT NOT NULL,
            revision INTEGER,
            evidence TEXT NOT NULL,
            hash TEXT NOT NULL
        ) STRICT;

        CREATE INDEX audit_by_object ON audit (object, action, number);
        CREATE INDEX audit_by_actor ON audit (actor);

        CREATE TRIGGER audit_is_final BEFORE UPDATE ON audit BEGIN
            SELECT raise(ABORT, 'an entry of the audit log is never changed');
        END;

        CREATE TRIGGER audit_stays BEFORE DELETE ON audit BEGIN
            SELECT raise(ABORT, 'an entry of the audit log is never removed');
        END;

        CREATE TRIGGER audit_is_appended BEFORE INSERT ON audit
        WHEN new.id IS NOT (SELECT coalesce(max(id), 0) + 1 FROM audit) BEGIN
            SELECT raise(ABORT, 'an entry of the audit log is only added at its end');
        END;

        CREATE TABLE revision_salt (
            revision_id INTEGER PRIMARY KEY REFERENCES revision (id) ON DELETE CASCADE,
            salt TEXT NOT NULL
        ) STRICT;

        CREATE TRIGGER revision_salt_is_final BEFORE UPDATE ON revision_salt BEGIN
            SELECT raise(ABORT, 'the salt of a revision is never changed');
        END;
    """)
    chain.begin(db)
