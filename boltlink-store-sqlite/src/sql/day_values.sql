-- The values kept of one link and day: a range of the primary key.
SELECT dimension, value FROM rollup_day WHERE link = $1 AND day = $2
