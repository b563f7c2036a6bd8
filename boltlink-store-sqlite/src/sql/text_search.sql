-- How many links may have the text, up to a bound: each word as the conjunction of its trigrams. What they really have
-- is for the caller to check.
SELECT COUNT(*) FROM (SELECT rowid FROM link_text WHERE link_text MATCH $1 LIMIT $2)
