-- Adds clicks to the totals that exist. CROSS JOIN is SQLite's word for: in this order (https://sqlite.org/optoverview.html
-- section 9.3). An UPDATE ... FROM v has no such word, and is planned as a scan of all totals for each statement.
WITH v (link, clicks) AS (VALUES (?, ?))
INSERT INTO link_total (link, clicks, opening, taken)
SELECT t.link, v.clicks, t.opening, t.taken FROM v CROSS JOIN link_total t ON t.link = v.link WHERE true
ON CONFLICT (link) DO UPDATE SET clicks = clicks + excluded.clicks
