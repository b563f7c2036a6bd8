-- A range of click_by_link, the newest rows first. Each has one click at least.
SELECT id, at, weight, referrer, user_agent, language, visitor, network, packed FROM click
WHERE link = $1 AND at >= $2 AND (at, id) < ($3, $4)
