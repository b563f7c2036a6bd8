INSERT INTO rollup_values (link, day, counts) VALUES (?, ?, ?)
ON CONFLICT (link, day) DO UPDATE SET counts = excluded.counts
