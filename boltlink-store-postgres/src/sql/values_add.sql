INSERT INTO rollup_values (link, day, counts)
SELECT link, day, counts FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS v (link, day, counts)
ORDER BY link, day
ON CONFLICT (link, day) DO UPDATE SET counts = excluded.counts
