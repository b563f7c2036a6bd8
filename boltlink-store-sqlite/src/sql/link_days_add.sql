INSERT INTO rollup_link_day (link, day, clicks) VALUES (?, ?, ?)
ON CONFLICT (link, day) DO UPDATE SET clicks = clicks + excluded.clicks
