-- A link with its counts. Both tables are entered by a unique key.
SELECT l.id, l.owner, l.domain, l.slug, l.target, l.title, l.note, l.tags, l.redirect, l.starts_at, l.expires_at,
       l.max_visits, l.enabled, l.created_at, l.updated_at, l.version, l.forward_query, l.forward_path, l.crawlable,
       l.password, t.clicks, t.taken
FROM link l JOIN link_total t ON t.link = l.id
