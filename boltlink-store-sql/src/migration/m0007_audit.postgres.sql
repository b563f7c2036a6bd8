-- Who did what to which object. Entries are only ever added: whoever must take some away drops the trigger first.
CREATE TABLE audit (
    id      UUID NOT NULL PRIMARY KEY, -- of the time
    at      BIGINT NOT NULL,
    account UUID NOT NULL, -- on whose behalf
    api_key UUID,
    session UUID,
    action  TEXT COLLATE "C" NOT NULL,
    object  TEXT COLLATE "C" NOT NULL, -- its id
    certain BOOLEAN NOT NULL, -- whether it is known to have been done
    detail  TEXT COLLATE "C"
);
CREATE INDEX audit_by_account ON audit (account, id);
CREATE INDEX audit_by_object ON audit (object, id);

CREATE FUNCTION audit_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- But for a copy that begins anew, in a database that nobody serves yet.
    IF NOT EXISTS (SELECT 1 FROM meta WHERE key = 'copy') THEN
        RAISE EXCEPTION 'entries of the audit log are never changed or deleted';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION audit_stays();
