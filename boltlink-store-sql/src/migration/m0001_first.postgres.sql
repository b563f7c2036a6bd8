-- Times are microseconds since 1970, hours and days are counted from 1970. Texts that are compared are compared byte by
-- byte, as everywhere else. What later migrations brought to SQLite before there was a store on Postgres is here at once.

CREATE TABLE meta (
    key   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    value TEXT             NOT NULL
);

CREATE TABLE link (
    id            UUID             NOT NULL PRIMARY KEY,
    owner         UUID             NOT NULL,
    domain        TEXT COLLATE "C" NOT NULL, -- empty: the default domain
    slug          TEXT COLLATE "C" NOT NULL,
    target        TEXT COLLATE "C" NOT NULL,
    target_hash   BIGINT           NOT NULL, -- the head of the target's SHA-256
    title         TEXT COLLATE "C",
    note          TEXT COLLATE "C",
    tags          TEXT COLLATE "C" NOT NULL, -- a JSON array
    redirect      SMALLINT         NOT NULL, -- the HTTP status
    starts_at     BIGINT,
    expires_at    BIGINT,
    max_visits    BIGINT,
    enabled       BOOLEAN          NOT NULL,
    created_at    BIGINT           NOT NULL,
    updated_at    BIGINT           NOT NULL,
    version       BIGINT           NOT NULL,
    forward_query BOOLEAN          NOT NULL DEFAULT FALSE,
    forward_path  BOOLEAN          NOT NULL DEFAULT FALSE,
    crawlable     BOOLEAN          NOT NULL DEFAULT FALSE
);
CREATE UNIQUE INDEX link_slug ON link (domain, slug);
-- One for each filter of a list, in its order: every page costs the same.
CREATE INDEX link_by_time ON link (created_at, id);
CREATE INDEX link_by_owner ON link (owner, created_at, id);
CREATE INDEX link_by_domain ON link (domain, created_at, id);
CREATE INDEX link_by_owner_and_domain ON link (owner, domain, created_at, id);
CREATE INDEX link_by_change ON link (updated_at, id);
CREATE INDEX link_by_owner_and_change ON link (owner, updated_at, id);
-- Few links are off, and few are for crawlers: without these a list of them would walk past all others.
CREATE INDEX link_off ON link (created_at, id) WHERE NOT enabled;
CREATE INDEX link_off_by_owner ON link (owner, created_at, id) WHERE NOT enabled;
CREATE INDEX link_crawlable ON link (domain, created_at, id) WHERE crawlable;
CREATE INDEX link_crawlable_by_time ON link (created_at, id) WHERE crawlable;
-- Links to a target, each in one of these: those that are off, and of the others those without an end by age, those with
-- one by their end, so that however many have expired, none of them is looked at for one that works.
CREATE INDEX link_off_by_target ON link (target_hash, owner, domain, created_at, id) WHERE NOT enabled;
CREATE INDEX link_lasting_by_target ON link (target_hash, owner, domain, created_at, id)
    WHERE enabled AND expires_at IS NULL;
CREATE INDEX link_ending_by_target ON link (target_hash, owner, domain, expires_at, created_at, id)
    WHERE enabled AND expires_at IS NOT NULL;

-- A row for each tag of a link, by age: a page of a tag is a range.
CREATE TABLE link_tag (
    tag        TEXT COLLATE "C" NOT NULL,
    created_at BIGINT           NOT NULL,
    link       UUID             NOT NULL,
    owner      UUID             NOT NULL,
    PRIMARY KEY (tag, created_at, link)
);
CREATE INDEX link_tag_by_owner ON link_tag (owner, tag, created_at, link);

CREATE FUNCTION link_tags_follow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP <> 'INSERT' THEN
        DELETE FROM link_tag WHERE created_at = old.created_at AND link = old.id
            AND tag IN (SELECT jsonb_array_elements_text(old.tags::jsonb));
    END IF;
    IF TG_OP <> 'DELETE' THEN
        INSERT INTO link_tag (tag, created_at, link, owner)
            SELECT jsonb_array_elements_text(new.tags::jsonb), new.created_at, new.id, new.owner;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER link_inserted AFTER INSERT ON link
    FOR EACH ROW WHEN (new.tags <> '[]') EXECUTE FUNCTION link_tags_follow();
CREATE TRIGGER link_tagged AFTER UPDATE OF tags ON link
    FOR EACH ROW WHEN (new.tags <> old.tags) EXECUTE FUNCTION link_tags_follow();
CREATE TRIGGER link_deleted AFTER DELETE ON link
    FOR EACH ROW WHEN (old.tags <> '[]') EXECUTE FUNCTION link_tags_follow();

-- Which links have which three characters in a row. Says where to look, not what is there. Letters are folded as lower()
-- of the collation "C" does, plus the two letters outside ASCII that become ASCII in lower case. An extension that comes
-- with Postgres; where it may not be created, lists by text walk the links instead.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX link_text ON link USING gin ((
        lower(replace(replace(
            slug || E'\n' || target || E'\n' || coalesce(title, '') || E'\n' || coalesce(note, ''),
            U&'\212A', 'k'), U&'\0130', 'i'))
    ) gin_trgm_ops);
EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported OR undefined_object THEN
    RAISE NOTICE 'no index for lists by text: the extension pg_trgm is not available';
END $$;

-- Apart from the link, so that counting rewrites few bytes and never touches its version. No index but the key, and room
-- on each page: a count is rewritten in place.
CREATE TABLE link_total (
    link    UUID   NOT NULL PRIMARY KEY,
    clicks  BIGINT NOT NULL, -- the opening balance included
    opening BIGINT NOT NULL, -- clicks that no rollup shows: imported, or rolled up no longer
    taken   BIGINT NOT NULL  -- visits granted of max_visits
) WITH (fillfactor = 70);

CREATE TABLE idempotency (
    owner       UUID             NOT NULL,
    key         TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA            NOT NULL,
    link        UUID             NOT NULL,
    at          BIGINT           NOT NULL,
    PRIMARY KEY (owner, key)
);
CREATE INDEX idempotency_by_time ON idempotency (at);

CREATE TABLE ledger (
    consumer   SMALLINT NOT NULL,
    producer   UUID     NOT NULL,
    highest    BIGINT   NOT NULL,
    holes      TEXT     NOT NULL,
    updated_at BIGINT   NOT NULL,
    PRIMARY KEY (consumer, producer)
);
CREATE INDEX ledger_by_time ON ledger (consumer, updated_at);

CREATE TABLE quarantine (
    consumer SMALLINT NOT NULL,
    producer UUID     NOT NULL,
    sequence BIGINT   NOT NULL,
    payload  BYTEA    NOT NULL, -- the batch in its own encoding
    reason   TEXT     NOT NULL,
    at       BIGINT   NOT NULL,
    PRIMARY KEY (consumer, producer, sequence)
);

-- The rows of the nil link are those of all links together.
CREATE TABLE rollup_hour (
    link   UUID   NOT NULL,
    hour   BIGINT NOT NULL,
    clicks BIGINT NOT NULL,
    PRIMARY KEY (link, hour)
) WITH (fillfactor = 80);

CREATE TABLE rollup_link_day (
    link   UUID   NOT NULL,
    day    BIGINT NOT NULL,
    clicks BIGINT NOT NULL,
    PRIMARY KEY (link, day)
);
CREATE INDEX rollup_link_day_top ON rollup_link_day (day, clicks DESC, link);

CREATE TABLE rollup_day (
    link      UUID             NOT NULL,
    day       BIGINT           NOT NULL,
    dimension SMALLINT         NOT NULL,
    value     TEXT COLLATE "C" NOT NULL,
    clicks    BIGINT           NOT NULL,
    PRIMARY KEY (link, day, dimension, value)
) WITH (fillfactor = 80);

-- Single clicks, or some that stand for others. A partition for each day, made ahead and dropped whole; what comes late
-- or finds none is in the default one.
CREATE TABLE click (
    link       UUID   NOT NULL,
    at         BIGINT NOT NULL,
    id         UUID   NOT NULL,
    weight     BIGINT NOT NULL,
    referrer   TEXT,
    user_agent TEXT,
    language   TEXT,
    visitor    BYTEA, -- a keyed hash, 16 bytes
    network    BYTEA  -- the first 3 bytes of an IPv4 address, the first 6 of an IPv6 address
) PARTITION BY RANGE (at);
CREATE INDEX click_by_link ON click (link, at, id);
CREATE TABLE click_default PARTITION OF click DEFAULT;
CREATE INDEX click_default_by_time ON click_default (at);

-- Transactions become visible in another order than they begin in: who reads goes by them, not by ids.
CREATE TABLE change_log (
    id      BIGINT   NOT NULL GENERATED ALWAYS AS IDENTITY,
    xact    BIGINT   NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    kind    SMALLINT NOT NULL,
    subject TEXT     NOT NULL, -- domain/slug, or the id of a key
    at      BIGINT   NOT NULL,
    PRIMARY KEY (xact, id)
);
CREATE INDEX change_log_by_time ON change_log (at);

-- One row: how far back the log goes. Rows made before `before` count as gone, but stay a while, so that it can be told
-- who has missed one; of those that went, the last transaction, and the one that dropped them.
CREATE TABLE change_trim (
    before  BIGINT NOT NULL,
    gone    BIGINT NOT NULL,
    gone_by BIGINT NOT NULL
);
INSERT INTO change_trim (before, gone, gone_by) VALUES (-9223372036854775808, 0, 0);

CREATE TABLE api_key (
    id         UUID    NOT NULL PRIMARY KEY,
    owner      UUID    NOT NULL,
    name       TEXT    NOT NULL,
    admin      BOOLEAN NOT NULL,
    digest     BYTEA   NOT NULL, -- SHA-256 of the secret
    created_at BIGINT  NOT NULL,
    expires_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX api_key_by_time ON api_key (created_at, id);
CREATE INDEX api_key_by_owner ON api_key (owner, created_at, id);
