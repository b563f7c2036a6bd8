INSERT INTO rollup_values (link, day, clicks) VALUES (?, ?, ?)
ON CONFLICT (link, day) DO UPDATE SET clicks = excluded.clicks
