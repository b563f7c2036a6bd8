-- What is granted of a capped link's remaining visits, noted at once. The row is locked before it is read: whoever comes
-- next reads what is noted here.
WITH held AS (
    SELECT l.max_visits, t.taken FROM link l JOIN link_total t ON t.link = l.id WHERE l.id = $1 FOR UPDATE OF t
), granted AS (
    SELECT max_visits IS NOT NULL AS capped,
           CASE WHEN max_visits IS NULL THEN $2 ELSE GREATEST(LEAST($2, max_visits - taken), 0) END AS visits
    FROM held
), noted AS (
    UPDATE link_total t SET taken = t.taken + g.visits FROM granted g WHERE t.link = $1 AND g.capped AND g.visits > 0
)
SELECT visits FROM granted
