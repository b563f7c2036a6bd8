INSERT INTO click (link, at, id, weight, referrer, user_agent, language, visitor, network, oldest, packed)
SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::uuid[], $4::bigint[], $5::text::text[], $6::text::text[],
    $7::text::text[], $8::text::bytea[], $9::text::bytea[], $10::text::bigint[], $11::text::bytea[])
