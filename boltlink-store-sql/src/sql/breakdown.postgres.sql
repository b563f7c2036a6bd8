-- Ranges of two primary keys: the link's days, each bounded by what is kept per day. rollup_day has what releases without
-- rollup_values have counted, and count.
SELECT value, CAST(SUM(clicks) AS BIGINT) FROM (
    SELECT value, clicks FROM rollup_day WHERE link = $1 AND day >= $2 AND day < $3 AND dimension = $4
    UNION ALL
    SELECT j.key COLLATE "C", j.value::bigint FROM rollup_values r, json_each_text(r.counts::json -> $4::text) j
    WHERE r.link = $1 AND r.day >= $2 AND r.day < $3
) AS v GROUP BY value ORDER BY 2 DESC, 1 LIMIT $5
