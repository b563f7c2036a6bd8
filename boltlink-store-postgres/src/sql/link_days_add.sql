INSERT INTO rollup_link_day AS r (link, day, clicks)
SELECT link, day, clicks FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS v (link, day, clicks)
ORDER BY link, day
ON CONFLICT (link, day) DO UPDATE SET clicks = r.clicks + excluded.clicks
