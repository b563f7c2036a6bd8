-- Adds clicks to hours, row after row in the order given, which is that of the keys.
INSERT INTO rollup_hour AS r (link, hour, clicks)
SELECT link, hour, clicks FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS v (link, hour, clicks)
ORDER BY link, hour
ON CONFLICT (link, hour) DO UPDATE SET clicks = r.clicks + excluded.clicks
