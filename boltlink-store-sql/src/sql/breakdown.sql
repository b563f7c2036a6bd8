-- A range of the primary key of rollup_day: the link's days, each bounded by what is kept per day.
SELECT value, CAST(SUM(clicks) AS BIGINT) FROM rollup_day
WHERE link = $1 AND day >= $2 AND day < $3 AND dimension = $4
GROUP BY value ORDER BY 2 DESC, 1 LIMIT $5
