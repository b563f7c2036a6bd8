-- A link, its clicks, and how much of these is taken from its cap. A link that was here before and comes back has rollups
-- still: its opening balance is what they do not show, so that both together are its clicks.
INSERT INTO link_total (link, clicks, opening, taken)
SELECT link, GREATEST(clicks, known), GREATEST(clicks - known, 0), taken FROM (
    SELECT link, clicks, taken,
           (SELECT CAST(COALESCE(SUM(r.clicks), 0) AS BIGINT) FROM rollup_hour r WHERE r.link = v.link) AS known
    FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS v (link, clicks, taken)
) AS new
