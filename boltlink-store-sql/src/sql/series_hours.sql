-- A range of the primary key of rollup_hour.
SELECT hour, clicks FROM rollup_hour WHERE link = $1 AND hour >= $2 AND hour < $3 ORDER BY hour
