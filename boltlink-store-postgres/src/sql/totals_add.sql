-- Adds clicks to the totals that exist. Entered by the primary key of link_total for each row of v.
UPDATE link_total t SET clicks = t.clicks + v.clicks
FROM unnest($1::uuid[], $2::bigint[]) AS v (link, clicks) WHERE t.link = v.link
