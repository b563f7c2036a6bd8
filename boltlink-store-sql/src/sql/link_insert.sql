INSERT INTO link (id, owner, domain, slug, target, target_hash, title, note, tags, redirect, starts_at, expires_at,
    max_visits, enabled, created_at, updated_at, version, forward_query, forward_path, crawlable, password)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
ON CONFLICT DO NOTHING
