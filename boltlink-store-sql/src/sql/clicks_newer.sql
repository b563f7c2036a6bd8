    ORDER BY at DESC, id DESC LIMIT $5
) AS page
UNION ALL
SELECT id, at, weight, referrer, user_agent, language, visitor, network, packed FROM click
WHERE link = $1 AND at >= $3 AND at < $6 AND (at, id) >= ($3, $4) AND oldest <= $3
