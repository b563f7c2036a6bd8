-- What is stored of these links and days, by the primary key of rollup_values for each.
SELECT v.link, v.day, r.counts FROM unnest($1::uuid[], $2::bigint[]) AS v (link, day)
CROSS JOIN LATERAL (SELECT counts FROM rollup_values r WHERE r.link = v.link AND r.day = v.day OFFSET 0) AS r
