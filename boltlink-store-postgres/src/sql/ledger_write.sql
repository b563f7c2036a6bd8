-- The rows were made and locked before. Entered by the primary key for each row of v.
UPDATE ledger l SET highest = v.highest, holes = v.holes, updated_at = $5
FROM unnest($2::uuid[], $3::bigint[], $4::text[]) AS v (producer, highest, holes)
WHERE l.consumer = $1 AND l.producer = v.producer
