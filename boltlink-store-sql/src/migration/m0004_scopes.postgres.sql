-- What a key is good for; NULL: what its column admin says, as an older release made it.
ALTER TABLE api_key ADD COLUMN scopes TEXT;
-- Under which domains and from which networks it is good, with spaces between them; NULL: all.
ALTER TABLE api_key ADD COLUMN domains TEXT;
ALTER TABLE api_key ADD COLUMN networks TEXT;
-- The digest of the secret before, and until when that still works.
ALTER TABLE api_key ADD COLUMN previous_digest BYTEA;
ALTER TABLE api_key ADD COLUMN previous_until BIGINT;
ALTER TABLE api_key ADD COLUMN last_used_at BIGINT;
