INSERT INTO rollup_day AS r (link, day, dimension, value, clicks)
SELECT link, day, dimension, value, clicks
FROM unnest($1::uuid[], $2::bigint[], $3::smallint[], $4::text[], $5::bigint[]) AS v (link, day, dimension, value, clicks)
ORDER BY link, day, dimension, value COLLATE "C"
ON CONFLICT (link, day, dimension, value) DO UPDATE SET clicks = r.clicks + excluded.clicks
