-- The rows of v whose link has no total.
WITH v (link, clicks) AS (VALUES (?, ?))
SELECT v.clicks FROM v WHERE NOT EXISTS (SELECT 1 FROM link_total t WHERE t.link = v.link)
