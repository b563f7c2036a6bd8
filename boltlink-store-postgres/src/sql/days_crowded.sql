-- The values of those links and days that have more than `room` already, or a row without any if they have none. Counts a
-- range of the primary key of rollup_day, which is bounded per link and day, and returns next to nothing.
WITH v AS MATERIALIZED (
    SELECT link, day FROM unnest($1::uuid[], $2::bigint[], $3::bigint[]) AS v (link, day, room)
    WHERE (SELECT COUNT(*) FROM rollup_day r WHERE r.link = v.link AND r.day = v.day) > v.room
)
SELECT v.link, v.day, r.dimension, r.value FROM v LEFT JOIN LATERAL
    (SELECT dimension, value FROM rollup_day r WHERE r.link = v.link AND r.day = v.day OFFSET 0) AS r ON TRUE
