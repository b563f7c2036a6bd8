-- Which rows of v are links and days that have more than `room` values already. Counts a range of the
-- primary key of rollup_day, which is bounded per link and day, and returns next to nothing.
WITH v (link, day, room) AS (VALUES (?, ?, ?))
SELECT v.link, v.day FROM v
WHERE (SELECT COUNT(*) FROM rollup_day r WHERE r.link = v.link AND r.day = v.day) > v.room
