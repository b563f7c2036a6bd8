-- Which links may have the text: each word as the conjunction of its trigrams. What they really have is for the caller
-- to check.
SELECT d.link FROM link_text JOIN link_document d ON d.document = link_text.rowid
WHERE link_text MATCH $1 LIMIT $2
