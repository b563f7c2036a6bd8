-- What is stored of these links and days. CROSS JOIN: by the primary key of rollup_values, for each row of v.
WITH v (link, day) AS (VALUES (?, ?))
SELECT r.link, r.day, r.counts FROM v CROSS JOIN rollup_values r ON r.link = v.link AND r.day = v.day
