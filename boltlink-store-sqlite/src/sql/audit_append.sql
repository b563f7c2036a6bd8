INSERT INTO audit (id, at, account, api_key, session, action, object, certain, detail)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING
