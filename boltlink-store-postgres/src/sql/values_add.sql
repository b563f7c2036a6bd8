INSERT INTO rollup_values AS r (link, day, clicks)
SELECT link, day, clicks FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS v (link, day, clicks)
ORDER BY link, day
ON CONFLICT (link, day) DO UPDATE SET clicks = excluded.clicks
