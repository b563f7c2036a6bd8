-- A range of click_by_link, newest first.
SELECT id, at, weight, referrer, user_agent, language, visitor, network FROM click
WHERE link = $1 AND at >= $2 AND (at, id) < ($3, $4)
