-- A range of idempotency_by_time, a few rows at a time. The parenthesis is closed by whoever knows the engine.
DELETE FROM idempotency WHERE (owner, key) IN
    (SELECT owner, key FROM idempotency WHERE at <= $1 ORDER BY at LIMIT $2