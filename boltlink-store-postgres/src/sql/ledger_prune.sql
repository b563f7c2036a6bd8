-- A range of ledger_by_time, some rows at a time, but none that another transaction has locked.
DELETE FROM ledger WHERE consumer = $1 AND producer IN
    (SELECT producer FROM ledger WHERE consumer = $1 AND updated_at < $2 ORDER BY updated_at LIMIT $3
     FOR UPDATE SKIP LOCKED)
