-- Which rows of v are ids of links. Entered by the primary key for each row of v.
WITH v (id) AS (VALUES (?))
SELECT v.id FROM v WHERE EXISTS (SELECT 1 FROM link l WHERE l.id = v.id)
