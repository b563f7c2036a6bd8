-- Times are microseconds since 1970, hours and days are counted from 1970, ids are UUIDs of 16 bytes.

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE link (
    id          BLOB     NOT NULL PRIMARY KEY,
    owner       BLOB     NOT NULL,
    domain      TEXT     NOT NULL, -- empty: the default domain
    slug        TEXT     NOT NULL,
    target      TEXT     NOT NULL,
    target_hash INTEGER  NOT NULL, -- the head of the target's SHA-256
    title       TEXT,
    note        TEXT,
    tags        TEXT     NOT NULL, -- a JSON array
    redirect    SMALLINT NOT NULL, -- the HTTP status
    starts_at   INTEGER,
    expires_at  INTEGER,
    max_visits  INTEGER,
    enabled     BOOLEAN  NOT NULL,
    created_at  INTEGER  NOT NULL,
    updated_at  INTEGER  NOT NULL,
    version     INTEGER  NOT NULL
);
CREATE UNIQUE INDEX link_slug ON link (domain, slug);
-- One for each filter of a list, in its order: every page costs the same.
CREATE INDEX link_by_time ON link (created_at, id);
CREATE INDEX link_by_owner ON link (owner, created_at, id);
CREATE INDEX link_by_domain ON link (domain, created_at, id);
CREATE INDEX link_by_owner_and_domain ON link (owner, domain, created_at, id);
CREATE INDEX link_by_target ON link (target_hash, owner, domain, created_at, id);

-- Apart from the link, so that counting rewrites few bytes and never touches its version.
CREATE TABLE link_total (
    link    BLOB    NOT NULL PRIMARY KEY,
    clicks  INTEGER NOT NULL, -- the opening balance included
    opening INTEGER NOT NULL, -- clicks that no rollup shows: imported, or rolled up no longer
    taken   INTEGER NOT NULL  -- visits granted of max_visits
) WITHOUT ROWID;

CREATE TABLE idempotency (
    owner       BLOB    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL,
    link        BLOB    NOT NULL,
    at          INTEGER NOT NULL,
    PRIMARY KEY (owner, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_time ON idempotency (at);

CREATE TABLE ledger (
    consumer   SMALLINT NOT NULL,
    producer   BLOB     NOT NULL,
    highest    INTEGER  NOT NULL,
    holes      TEXT     NOT NULL,
    updated_at INTEGER  NOT NULL,
    PRIMARY KEY (consumer, producer)
) WITHOUT ROWID;
CREATE INDEX ledger_by_time ON ledger (consumer, updated_at);

CREATE TABLE quarantine (
    consumer SMALLINT NOT NULL,
    producer BLOB     NOT NULL,
    sequence INTEGER  NOT NULL,
    payload  BLOB     NOT NULL, -- the batch in its own encoding
    reason   TEXT     NOT NULL,
    at       INTEGER  NOT NULL,
    PRIMARY KEY (consumer, producer, sequence)
);

-- The rows of the nil link are those of all links together.
CREATE TABLE rollup_hour (
    link   BLOB    NOT NULL,
    hour   INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    PRIMARY KEY (link, hour)
) WITHOUT ROWID;

CREATE TABLE rollup_day (
    link      BLOB     NOT NULL,
    day       INTEGER  NOT NULL,
    dimension SMALLINT NOT NULL,
    value     TEXT     NOT NULL,
    clicks    INTEGER  NOT NULL,
    PRIMARY KEY (link, day, dimension, value)
) WITHOUT ROWID;

-- AUTOINCREMENT, so that an id is never given twice: a cursor stays where it is when rows are trimmed.
CREATE TABLE change_log (
    id      INTEGER  NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind    SMALLINT NOT NULL,
    subject TEXT     NOT NULL, -- domain/slug, or the id of a key
    at      INTEGER  NOT NULL
);
CREATE INDEX change_log_by_time ON change_log (at);

CREATE TABLE api_key (
    id         BLOB    NOT NULL PRIMARY KEY,
    owner      BLOB    NOT NULL,
    name       TEXT    NOT NULL,
    admin      BOOLEAN NOT NULL,
    digest     BLOB    NOT NULL, -- SHA-256 of the secret
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
);
CREATE INDEX api_key_by_time ON api_key (created_at, id);
CREATE INDEX api_key_by_owner ON api_key (owner, created_at, id);
