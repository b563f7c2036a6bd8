INSERT INTO rollup_hour (link, hour, clicks) VALUES (?, ?, ?)
ON CONFLICT (link, hour) DO UPDATE SET clicks = clicks + excluded.clicks
