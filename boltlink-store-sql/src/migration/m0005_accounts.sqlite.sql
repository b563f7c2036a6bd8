-- An account that people log in to. Of one that was deleted the id stays, and when that was: what was given out for it must
-- open nothing for ever.
CREATE TABLE account (
    id            BLOB NOT NULL PRIMARY KEY,
    email         TEXT, -- in lower case
    role          TEXT NOT NULL,
    password      TEXT, -- a hash in the PHC string format
    ticket_digest BLOB, -- SHA-256 of the secret by which the password can be set
    ticket_until  INTEGER,
    created_at    INTEGER NOT NULL,
    disabled_at   INTEGER,
    last_login_at INTEGER,
    deleted_at    INTEGER
);
CREATE UNIQUE INDEX account_email ON account (email);
CREATE INDEX account_by_time ON account (created_at, id) WHERE deleted_at IS NULL;

CREATE TABLE session (
    id         BLOB NOT NULL PRIMARY KEY,
    account    BLOB NOT NULL,
    digest     BLOB NOT NULL, -- SHA-256 of the secret
    created_at INTEGER NOT NULL,
    used_at    INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    client     TEXT
);
CREATE INDEX session_by_account ON session (account, created_at, id);
