-- As many rows in each table as a service has after a while. {now} is in microseconds, {day} in days. Most are of the
-- operator and of the default domain, as are those that are asked for.
CREATE TEMP TABLE number (n INTEGER PRIMARY KEY, id BLOB NOT NULL);
WITH RECURSIVE c (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < {rows} - 1)
INSERT INTO number SELECT n, unhex(printf('%012x7%03x8%015x', {now} / 1000 - n * 1000, n % 4096, n)) FROM c;
CREATE TEMP TABLE few AS SELECT column1 AS k FROM (VALUES (0), (1), (2));

INSERT INTO link (id, owner, domain, slug, target, target_hash, tags, redirect, expires_at, enabled, created_at,
    updated_at, version, crawlable)
SELECT id, CASE WHEN n % 3 = 0 THEN unhex(printf('%032x', n % 100)) ELSE zeroblob(16) END,
    CASE WHEN n % 4 = 1 THEN 'go.example' ELSE '' END, 'f' || n, 'https://example.com/' || n % 50000, n % 50000,
    CASE WHEN n % 10 = 0 THEN '["everything"]' WHEN n % 10 = 1 THEN '["other","everything"]'
         WHEN n % 1000 = 2 THEN '["of-few"]' ELSE '[]' END,
    302, CASE WHEN n % 7 = 0 THEN {now} + n END, n % 20 <> 0, {now} - n * 1000000, {now} - n * 500000, 1, n % 50 = 3
FROM number;
INSERT INTO link_total SELECT id, n, 0, 0 FROM number;

INSERT INTO rollup_hour SELECT id, {day} * 24 - k * 24 + n % 24, 1 + n % 9 FROM number CROSS JOIN few;
INSERT INTO rollup_hour SELECT zeroblob(16), {day} * 24 - n, n FROM number WHERE n < 10000;
INSERT INTO rollup_link_day SELECT id, {day} - k * 10, 1 + n % 1000 FROM number CROSS JOIN few;
INSERT INTO rollup_day SELECT id, {day} - k * 10, 1 + n % 2, 'value-' || k, 1 FROM number CROSS JOIN few;
INSERT INTO rollup_values SELECT id, {day} - k * 10, '{"1":{"value-' || k || '":1}}' FROM number CROSS JOIN few;
INSERT INTO click (link, at, id, weight) SELECT id, {now} - n * 30000000, id, 1 FROM number;

INSERT INTO ledger SELECT 1 + n % 2, id, 1, '', {now} - n * 60000000 FROM number;
INSERT INTO quarantine (consumer, producer, sequence, payload, reason, at)
SELECT 1 + n % 2, id, 1, x'00', 'why', {now} FROM number;
INSERT INTO idempotency SELECT zeroblob(16), 'key-' || n, zeroblob(32), id, {now} - n * 1000000 FROM number;
INSERT INTO change_log (kind, subject, at) SELECT 1, '/f' || n, {now} - ({rows} - n) * 3000000 FROM number;
INSERT INTO audit (id, at, account, action, object, certain)
SELECT id, {now} - n, zeroblob(16), 'link.created', 'object-' || n % 1000, 1 FROM number;
INSERT INTO api_key (id, owner, name, admin, digest, created_at)
SELECT id, CASE WHEN n % 2 = 0 THEN zeroblob(16) ELSE id END, 'key', 0, zeroblob(32), {now} - n FROM number;
INSERT INTO account (id, email, role, created_at) SELECT id, n || '@example.org', 'editor', {now} - n FROM number;
INSERT INTO session (id, account, digest, created_at, used_at, expires_at) SELECT id, id, zeroblob(32), 0, 0, 0 FROM number;
DROP TABLE number;
DROP TABLE few;
