-- The oldest links to a target, in whatever state: each state has an index of its own.
WITH found (id) AS (
    SELECT id FROM (
        SELECT id FROM link
        WHERE target_hash = $1 AND owner = $2 AND domain = $3 AND enabled AND expires_at IS NULL
        ORDER BY created_at, id LIMIT $5
    ) AS page
    UNION ALL
    SELECT id FROM (
        SELECT id FROM link
        WHERE target_hash = $1 AND owner = $2 AND domain = $3 AND enabled AND expires_at IS NOT NULL
        -- A bare created_at would send SQLite into link_by_owner_and_domain, for its order's sake.
        ORDER BY +created_at, id LIMIT $5
    ) AS page
    UNION ALL
    SELECT id FROM (
        SELECT id FROM link
        WHERE target_hash = $1 AND owner = $2 AND domain = $3 AND NOT enabled
        ORDER BY created_at, id LIMIT $5
    ) AS page
)
