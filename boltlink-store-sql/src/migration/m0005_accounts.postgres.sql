-- An account that people log in to. Of one that was deleted the id stays, and when that was: what was given out for it must
-- open nothing for ever.
CREATE TABLE account (
    id            UUID NOT NULL PRIMARY KEY,
    email         TEXT COLLATE "C", -- in lower case
    role          TEXT COLLATE "C" NOT NULL,
    password      TEXT COLLATE "C", -- a hash in the PHC string format
    ticket_digest BYTEA, -- SHA-256 of the secret by which the password can be set
    ticket_until  BIGINT,
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT,
    last_login_at BIGINT,
    deleted_at    BIGINT
);
CREATE UNIQUE INDEX account_email ON account (email);
CREATE INDEX account_by_time ON account (created_at, id) WHERE deleted_at IS NULL;

CREATE TABLE session (
    id         UUID NOT NULL PRIMARY KEY,
    account    UUID NOT NULL,
    digest     BYTEA NOT NULL, -- SHA-256 of the secret
    created_at BIGINT NOT NULL,
    used_at    BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    client     TEXT COLLATE "C"
);
CREATE INDEX session_by_account ON session (account, created_at, id);
