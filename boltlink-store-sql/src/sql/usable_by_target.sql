-- The oldest links to a target that work: those without an end come in the order of link_lasting_by_target; of those
-- with one, the last 2,000 to end are sorted, from a range of link_ending_by_target. None that is off or has expired is
-- looked at.
WITH found (id) AS (
    SELECT id FROM (
        SELECT id FROM link
        WHERE target_hash = $1 AND owner = $2 AND domain = $3 AND enabled AND expires_at IS NULL
        ORDER BY created_at, id LIMIT $6
    ) AS page
    UNION ALL
    SELECT id FROM (
        SELECT id FROM (
            SELECT id, created_at FROM link
            WHERE target_hash = $1 AND owner = $2 AND domain = $3 AND enabled
                AND expires_at IS NOT NULL AND expires_at > $5
            ORDER BY expires_at DESC LIMIT 2000
        ) AS page
        ORDER BY created_at, id LIMIT $6
    ) AS page
)
