-- A range of the primary key of rollup_hour. Division rounds towards zero, days before 1970 do not.
SELECT (hour - ((hour % 24) + 24) % 24) / 24, CAST(SUM(clicks) AS BIGINT) FROM rollup_hour
WHERE link = $1 AND hour >= $2 AND hour < $3 GROUP BY 1 ORDER BY 1
