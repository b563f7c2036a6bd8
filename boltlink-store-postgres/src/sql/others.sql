-- Every process of ours names its connections, and asks something on one of them each second. What a stopped one leaves in
-- a pooler stays silent. What is hidden from this user counts as busy.
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'boltlink' AND pid <> pg_backend_pid()
    AND (state IS DISTINCT FROM 'idle' OR state_change > clock_timestamp() - interval '3 seconds')
