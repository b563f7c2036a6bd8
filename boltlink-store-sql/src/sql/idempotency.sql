-- Remembers the answer to a request; a row whose time is over is overwritten.
INSERT INTO idempotency (owner, key, fingerprint, link, at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (owner, key) DO UPDATE SET fingerprint = excluded.fingerprint, link = excluded.link, at = excluded.at
