-- What is deleted is a range of change_log_by_time. Readers of the log see the new bounds no later than that rows are gone.
WITH deleted AS (
    DELETE FROM change_log WHERE at < $1 - $2 RETURNING xact
)
UPDATE change_trim SET
    before = GREATEST(before, $1),
    gone = GREATEST(gone, (SELECT MAX(xact) FROM deleted)),
    gone_by = CASE WHEN EXISTS (SELECT FROM deleted) THEN pg_current_xact_id()::text::bigint ELSE gone_by END
