-- A release that does not know these columns and tables serves the schema still. What it writes of links is carried over by
-- the triggers; its clicks are missing from rollup_link_day and click, which only lists of the most clicked links and of
-- single clicks are read from.

ALTER TABLE link ADD COLUMN forward_query BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE link ADD COLUMN forward_path  BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE link ADD COLUMN crawlable     BOOLEAN NOT NULL DEFAULT FALSE;

CREATE INDEX link_by_change ON link (updated_at, id);
CREATE INDEX link_by_owner_and_change ON link (owner, updated_at, id);
-- Few links are off, and few are for crawlers: without these a list of them would walk past all others.
CREATE INDEX link_off ON link (created_at, id) WHERE NOT enabled;
CREATE INDEX link_off_by_owner ON link (owner, created_at, id) WHERE NOT enabled;
CREATE INDEX link_crawlable ON link (domain, created_at, id) WHERE crawlable;
CREATE INDEX link_crawlable_by_time ON link (created_at, id) WHERE crawlable;
-- Links to a target, each in one of these: those that are off, and of the others those without an end by age, those with
-- one by their end, so that however many have expired, none of them is looked at for one that works.
DROP INDEX link_by_target;
CREATE INDEX link_off_by_target ON link (target_hash, owner, domain, created_at, id) WHERE NOT enabled;
CREATE INDEX link_lasting_by_target ON link (target_hash, owner, domain, created_at, id)
    WHERE enabled AND expires_at IS NULL;
CREATE INDEX link_ending_by_target ON link (target_hash, owner, domain, expires_at, created_at, id)
    WHERE enabled AND expires_at IS NOT NULL;

-- A row for each tag of a link, by age: a page of a tag is a range.
CREATE TABLE link_tag (
    tag        TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    link       BLOB    NOT NULL,
    owner      BLOB    NOT NULL,
    PRIMARY KEY (tag, created_at, link)
) WITHOUT ROWID;
CREATE INDEX link_tag_by_owner ON link_tag (owner, tag, created_at, link);

-- The text index knows links by a number that lasts: a rowid may change when the file is compacted.
CREATE TABLE link_document (
    document INTEGER NOT NULL PRIMARY KEY,
    link     BLOB    NOT NULL UNIQUE
);
-- Which links have which three characters in a row. Says where to look, not what is there: positions and texts are
-- not kept.
CREATE VIRTUAL TABLE link_text USING fts5 (
    text, content = '', contentless_delete = 1, detail = none, tokenize = 'trigram'
);

INSERT INTO link_tag (tag, created_at, link, owner)
    SELECT t.value, l.created_at, l.id, l.owner FROM link l, json_each(l.tags) t;
INSERT INTO link_document (link) SELECT id FROM link;
INSERT INTO link_text (rowid, text)
    SELECT document, slug || char(10) || target || char(10) || ifnull(title, '') || char(10) || ifnull(note, '')
    FROM link_document d JOIN link l ON l.id = d.link;

CREATE TRIGGER link_inserted AFTER INSERT ON link BEGIN
    INSERT INTO link_tag (tag, created_at, link, owner)
        SELECT value, new.created_at, new.id, new.owner FROM json_each(new.tags) WHERE new.tags <> '[]';
    INSERT INTO link_document (link) VALUES (new.id);
    INSERT INTO link_text (rowid, text) VALUES (
        last_insert_rowid(),
        new.slug || char(10) || new.target || char(10) || ifnull(new.title, '') || char(10) || ifnull(new.note, '')
    );
END;

CREATE TRIGGER link_tagged AFTER UPDATE OF tags ON link WHEN new.tags <> old.tags BEGIN
    DELETE FROM link_tag
        WHERE created_at = old.created_at AND link = old.id AND tag IN (SELECT value FROM json_each(old.tags));
    INSERT INTO link_tag (tag, created_at, link, owner)
        SELECT value, new.created_at, new.id, new.owner FROM json_each(new.tags);
END;

CREATE TRIGGER link_worded AFTER UPDATE OF slug, target, title, note ON link
WHEN new.slug <> old.slug OR new.target <> old.target OR new.title IS NOT old.title OR new.note IS NOT old.note BEGIN
    DELETE FROM link_text WHERE rowid = (SELECT document FROM link_document WHERE link = old.id);
    INSERT INTO link_text (rowid, text)
        SELECT document,
               new.slug || char(10) || new.target || char(10) || ifnull(new.title, '') || char(10) || ifnull(new.note, '')
        FROM link_document WHERE link = new.id;
END;

CREATE TRIGGER link_deleted AFTER DELETE ON link BEGIN
    DELETE FROM link_tag
        WHERE created_at = old.created_at AND link = old.id AND tag IN (SELECT value FROM json_each(old.tags));
    DELETE FROM link_text WHERE rowid = (SELECT document FROM link_document WHERE link = old.id);
    DELETE FROM link_document WHERE link = old.id;
END;

-- Single clicks, or some that stand for others. Rows are added at the end, whatever link they are of.
CREATE TABLE click (
    place      INTEGER NOT NULL PRIMARY KEY,
    link       BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    id         BLOB    NOT NULL,
    weight     INTEGER NOT NULL,
    referrer   TEXT,
    user_agent TEXT,
    language   TEXT,
    visitor    BLOB, -- a keyed hash, 16 bytes
    network    BLOB  -- the first 3 bytes of an IPv4 address, the first 6 of an IPv6 address
);
CREATE INDEX click_by_link ON click (link, at, id);
CREATE INDEX click_by_time ON click (at);

CREATE TABLE rollup_link_day (
    link   BLOB    NOT NULL,
    day    INTEGER NOT NULL,
    clicks INTEGER NOT NULL,
    PRIMARY KEY (link, day)
) WITHOUT ROWID;
CREATE INDEX rollup_link_day_top ON rollup_link_day (day, clicks DESC, link);
INSERT INTO rollup_link_day (link, day, clicks)
    SELECT link, (hour - ((hour % 24) + 24) % 24) / 24 AS day, SUM(clicks) FROM rollup_hour
    WHERE link <> zeroblob(16) GROUP BY link, day;
