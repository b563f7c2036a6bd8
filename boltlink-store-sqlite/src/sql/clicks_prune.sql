-- A range of click_by_time, some rows at a time.
DELETE FROM click WHERE place IN (SELECT place FROM click WHERE at < $1 ORDER BY at LIMIT $2)
