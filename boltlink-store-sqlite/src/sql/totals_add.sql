-- Adds clicks to the totals that exist. Entered by the primary key of link_total for each row of v.
WITH v (link, clicks) AS (VALUES (?, ?))
UPDATE link_total SET clicks = link_total.clicks + v.clicks FROM v WHERE link_total.link = v.link
