INSERT INTO audit (id, at, account, api_key, session, action, object, certain, detail)
SELECT id, at, account, api_key, session, action, object, certain = 1, detail
FROM unnest($1, $2, $3, $4::text::uuid[], $5::text::uuid[], $6, $7, $8, $9::text::text[])
    AS entry (id, at, account, api_key, session, action, object, certain, detail)
ON CONFLICT DO NOTHING
