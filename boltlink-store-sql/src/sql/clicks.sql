-- Ranges of click_by_link: the newest rows first, of which each has one click at least; and rows that are newer than what
-- is asked for, but are packed with clicks that are not: all are of the same hour.
SELECT * FROM (
    SELECT id, at, weight, referrer, user_agent, language, visitor, network, packed FROM click
    WHERE link = $1 AND at >= $2 AND (at, id) < ($3, $4)
