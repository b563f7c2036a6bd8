INSERT INTO click (link, at, id, weight, referrer, user_agent, language, visitor, network, oldest, packed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
