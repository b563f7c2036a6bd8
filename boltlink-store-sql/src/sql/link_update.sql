-- The parameters are those of link_insert.sql, and the version that is expected.
UPDATE link SET domain = $3, slug = $4, target = $5, target_hash = $6, title = $7, note = $8, tags = $9,
    redirect = $10, starts_at = $11, expires_at = $12, max_visits = $13, enabled = $14, updated_at = $16, version = $17,
    forward_query = $18, forward_path = $19, crawlable = $20, password = $21
WHERE id = $1 AND owner = $2 AND created_at = $15 AND version = $22
