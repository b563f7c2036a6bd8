-- In the order of their slugs, so that two such statements do not wait for each other; of two with one slug the first.
INSERT INTO link (id, owner, domain, slug, target, target_hash, title, note, tags, redirect, starts_at, expires_at,
    max_visits, enabled, created_at, updated_at, version, forward_query, forward_path, crawlable, password)
SELECT id, owner, domain, slug, target, target_hash, title, note, tags, redirect, starts_at, expires_at,
    max_visits, enabled, created_at, updated_at, version, forward_query, forward_path, crawlable, password
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text::text[], $8::text::text[],
    $9::text[], $10::smallint[], $11::text::bigint[], $12::text::bigint[], $13::text::bigint[], $14::boolean[],
    $15::bigint[], $16::bigint[], $17::bigint[], $18::boolean[], $19::boolean[], $20::boolean[],
    $21::text::text[]) WITH ORDINALITY
    AS v (id, owner, domain, slug, target, target_hash, title, note, tags, redirect, starts_at, expires_at,
    max_visits, enabled, created_at, updated_at, version, forward_query, forward_path, crawlable, password, place)
ORDER BY domain COLLATE "C", slug COLLATE "C", place
ON CONFLICT DO NOTHING
RETURNING id
