INSERT INTO link (id, owner, domain, slug, target, target_hash, title, note, tags, redirect, starts_at, expires_at,
    max_visits, enabled, created_at, updated_at, version, forward_query, forward_path, crawlable, password)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
RETURNING id
