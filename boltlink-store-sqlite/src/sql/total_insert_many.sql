-- A link, its clicks, and how much of these is taken from its cap. A link that was here before and comes back has rollups
-- still: its opening balance is what they do not show, so that both together are its clicks.
INSERT INTO link_total (link, clicks, opening, taken)
SELECT link, MAX(clicks, known), MAX(clicks - known, 0), taken FROM (
    SELECT column1 AS link, column2 AS clicks, column3 AS taken,
           (SELECT COALESCE(SUM(r.clicks), 0) FROM rollup_hour r WHERE r.link = column1) AS known
    FROM (VALUES (?, ?, ?))
)
