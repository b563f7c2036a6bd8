-- The changes that were not visible in the snapshot $2, whose xmin is $1, beside the snapshot of this statement and the
-- state of the log. A range of the primary key of change_log: few transactions that have ended are younger than the
-- oldest that runs. That the state is one row has to be said: the server guesses many of a table it has not looked at, and
-- would compile the statement to machine code, in a tenth of a second, each time that somebody asks.
SELECT pg_current_snapshot()::text, t.before, t.gone, t.gone_by, c.kind, c.subject, c.at
FROM (SELECT before, gone, gone_by FROM change_trim LIMIT 1) t LEFT JOIN LATERAL (
    SELECT kind, subject, at, xact, id FROM change_log
    WHERE xact >= $1 AND NOT pg_visible_in_snapshot(xact::text::xid8, $2::text::pg_snapshot)
    ORDER BY xact, id LIMIT $3
) c ON TRUE
ORDER BY c.xact, c.id
