-- A range of click_default_by_time, some rows at a time.
DELETE FROM click_default WHERE ctid = ANY (ARRAY
    (SELECT ctid FROM click_default WHERE at < $1 ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))
