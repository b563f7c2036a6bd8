-- A short range of click_by_link: rows that are newer than what is asked for, with clicks that are not.
SELECT id, at, weight, referrer, user_agent, language, visitor, network, packed FROM click
WHERE link = $1 AND at >= $2 AND at < $4 AND (at, id) >= ($2, $3) AND oldest <= $2
