-- Who did what to which object. Entries are only ever added: whoever must take some away drops the triggers first.
CREATE TABLE audit (
    id      BLOB NOT NULL PRIMARY KEY, -- of the time
    at      INTEGER NOT NULL,
    account BLOB NOT NULL, -- on whose behalf
    api_key BLOB,
    session BLOB,
    action  TEXT NOT NULL,
    object  TEXT NOT NULL, -- its id
    certain BOOLEAN NOT NULL, -- whether it is known to have been done
    detail  TEXT
) WITHOUT ROWID;
CREATE INDEX audit_by_account ON audit (account, id);
CREATE INDEX audit_by_object ON audit (object, id);

CREATE TRIGGER audit_stays_as_it_is BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log are never changed');
END;
-- But for a copy that begins anew, in a database that nobody serves yet.
CREATE TRIGGER audit_stays BEFORE DELETE ON audit
    WHEN NOT EXISTS (SELECT 1 FROM meta WHERE key = 'copy')
BEGIN
    SELECT RAISE(ABORT, 'entries of the audit log are never deleted');
END;
