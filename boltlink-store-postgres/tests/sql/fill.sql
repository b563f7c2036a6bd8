-- As many rows in each table as a service has after a while. {now} is in microseconds, {day} in days. Most are of the
-- operator and of the default domain, as are those that are asked for.
CREATE TEMP TABLE number AS
SELECT n, (lpad(to_hex({now} / 1000 - n * 1000), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') || '8'
    || lpad(to_hex(n), 15, '0'))::uuid AS id
FROM generate_series(0::bigint, {rows} - 1) AS number (n);
CREATE TEMP TABLE few AS SELECT k FROM generate_series(0, 2) AS few (k);

-- Quicker made at once, as the migration makes it.
CREATE TEMP TABLE later AS SELECT indexdef AS sql FROM pg_indexes WHERE indexname = 'link_text';
DROP INDEX link_text;
INSERT INTO link (id, owner, domain, slug, target, target_hash, tags, redirect, expires_at, enabled, created_at,
    updated_at, version, crawlable)
SELECT id, lpad(CASE WHEN n % 3 = 0 THEN to_hex(n % 100) ELSE '0' END, 32, '0')::uuid,
    CASE WHEN n % 4 = 1 THEN 'go.example' ELSE '' END, 'f' || n, 'https://example.com/' || n % 50000, n % 50000,
    CASE WHEN n % 10 = 0 THEN '["everything"]' WHEN n % 10 = 1 THEN '["other","everything"]'
         WHEN n % 1000 = 2 THEN '["of-few"]' ELSE '[]' END,
    302, CASE WHEN n % 7 = 0 THEN {now} + n END, n % 20 <> 0, {now} - n * 1000000, {now} - n * 500000, 1, n % 50 = 3
FROM number;
DO $$ BEGIN EXECUTE (SELECT sql FROM later); END $$;
INSERT INTO link_total SELECT id, n, 0, 0 FROM number;

INSERT INTO rollup_hour SELECT id, {day} * 24 - k * 24 + n % 24, 1 + n % 9 FROM number, few;
INSERT INTO rollup_hour
SELECT '00000000-0000-0000-0000-000000000000', {day} * 24 - n, n FROM number WHERE n < 10000;
INSERT INTO rollup_link_day SELECT id, {day} - k * 10, 1 + n % 1000 FROM number, few;
INSERT INTO rollup_day SELECT id, {day} - k * 10, 1 + n % 2, 'value-' || k, 1 FROM number, few;
INSERT INTO rollup_values SELECT id, {day} - k * 10, '{"1":{"value-' || k || '":1}}' FROM number, few;
DO $$ BEGIN
    FOR day IN {day} - 30 .. {day} - 1 LOOP
        EXECUTE format('CREATE TABLE click_%s PARTITION OF click FOR VALUES FROM (%s) TO (%s)', day,
                       day * 86400000000, (day + 1) * 86400000000);
    END LOOP;
END $$;
-- A third of them in one partition, some before all partitions.
INSERT INTO click (link, at, id, weight)
SELECT id, {now} - 1 - CASE n % 3 WHEN 0 THEN n * 500000 WHEN 1 THEN n * 20000000 ELSE n * 40000000 END, id, 1 FROM number;

INSERT INTO ledger SELECT 1 + n % 2, id, 1, '', {now} - n * 60000000 FROM number;
INSERT INTO quarantine (consumer, producer, sequence, payload, reason, at)
SELECT 1 + n % 2, id, 1, '\x00', 'why', {now} FROM number;
INSERT INTO idempotency
SELECT '00000000-0000-0000-0000-000000000000', 'key-' || n, decode(repeat('00', 32), 'hex'), id, {now} - n * 1000000 FROM number;
-- By transactions that ended before: rows of this one are as young as what is asked for.
INSERT INTO change_log (xact, kind, subject, at) SELECT 1 + n / 1000, 1, '/f' || n, {now} - ({rows} - n) * 3000000 FROM number;
INSERT INTO audit (id, at, account, action, object, certain)
SELECT id, {now} - n, '00000000-0000-0000-0000-000000000000', 'link.created', 'object-' || n % 1000, TRUE FROM number;
INSERT INTO api_key (id, owner, name, admin, digest, created_at)
SELECT id, CASE WHEN n % 2 = 0 THEN '00000000-0000-0000-0000-000000000000' ELSE id END, 'key', FALSE, decode(repeat('00', 32), 'hex'), {now} - n
FROM number;
INSERT INTO account (id, email, role, created_at) SELECT id, n || '@example.org', 'editor', {now} - n FROM number;
INSERT INTO session (id, account, digest, created_at, used_at, expires_at) SELECT id, id, decode(repeat('00', 32), 'hex'), 0, 0, 0 FROM number;
DROP TABLE number, few, later;
