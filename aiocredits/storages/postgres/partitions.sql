-- Partitions of the entries by time, and putting old ones away. Names of tables and instants cannot
-- be parameters of such statements: {table}, {index} and {key} are identifiers, {since} and {until}
-- are instants, put in by sql.py.
--
-- Every partition has the indexes that the whole table had, and the table above them has none: a
-- version and a key stay unique within a partition, and no index has to know the time.

-- Whether entries is a table (r) or partitioned (p).
-- name: entries_kind
SELECT c.relkind::text
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = 'entries'

-- The partitions, oldest first, with the end of each; the default one has none.
-- name: partitions
SELECT c.relname::text,
       substring(pg_catalog.pg_get_expr(c.relpartbound, c.oid) FROM 'TO \(''([^'']+)''\)')::timestamptz
           AS until
FROM pg_catalog.pg_inherits AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.relnamespace
WHERE n.nspname = $1 AND p.relname = 'entries'
ORDER BY until

-- The present: an account's time may be ahead of the server's.
-- name: present
SELECT greatest(now(), max(at)) FROM {schema}.accounts

-- name: server_time
SELECT now()

-- Who waits for a lock makes all others wait behind him, so nobody waits long. It is less than the
-- second after which a server looks for deadlocks.
-- name: wait_briefly
SET LOCAL lock_timeout = '500ms'

-- Turning a table into the first partition. The end is proved while the table is in use, so that
-- nothing has to be read while it is locked.

-- name: drop_end
ALTER TABLE {schema}.entries DROP CONSTRAINT IF EXISTS entries_end

-- name: claim_end
ALTER TABLE {schema}.entries ADD CONSTRAINT entries_end CHECK (at < {until}) NOT VALID

-- name: prove_end
ALTER TABLE {schema}.entries VALIDATE CONSTRAINT entries_end

-- name: lock_entries
LOCK TABLE {schema}.entries IN ACCESS EXCLUSIVE MODE

-- name: rename_entries
ALTER TABLE {schema}.entries RENAME TO {table}

-- name: rename_versions
ALTER INDEX {schema}.entries_pkey RENAME TO {index}

-- name: rename_keys
ALTER INDEX {schema}.entries_key RENAME TO {key}

-- name: create_entries
CREATE TABLE {schema}.entries (LIKE {schema}.{table}) PARTITION BY RANGE (at)

-- name: attach_first
ALTER TABLE {schema}.entries ATTACH PARTITION {schema}.{table} FOR VALUES FROM (MINVALUE) TO ({until})

-- name: drop_proved_end
ALTER TABLE {schema}.{table} DROP CONSTRAINT entries_end

-- Whoever could use or owned the table can use or owns the one in its place.
-- name: rights
SELECT pg_catalog.format('ALTER TABLE %I.%I OWNER TO %I', $1::text, $3::text, r.rolname)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles AS r ON r.oid = c.relowner
WHERE n.nspname = $1 AND c.relname = $2
UNION ALL
SELECT pg_catalog.format(
           'GRANT %s ON TABLE %I.%I TO %s%s', a.privilege_type, $1::text, $3::text,
           CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(g.rolname) END,
           CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
       )
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) AS a
LEFT JOIN pg_catalog.pg_roles AS g ON g.oid = a.grantee
WHERE n.nspname = $1 AND c.relname = $2

-- Adding a partition.

-- name: create_partition
CREATE TABLE {schema}.{table} (LIKE {schema}.entries)

-- name: create_versions
ALTER TABLE {schema}.{table} ADD CONSTRAINT {index} PRIMARY KEY (account, version)

-- name: create_keys
CREATE UNIQUE INDEX {key} ON {schema}.{table} (key, account) WHERE key IS NOT NULL

-- name: attach_default
ALTER TABLE {schema}.entries ATTACH PARTITION {schema}.{table} DEFAULT

-- name: attach_month
ALTER TABLE {schema}.entries ATTACH PARTITION {schema}.{table} FOR VALUES FROM ({since}) TO ({until})

-- name: lock_default
LOCK TABLE {schema}.entries_default IN ACCESS EXCLUSIVE MODE

-- What was written before its month had a partition.
-- name: move_from_default
WITH moved AS (
    DELETE FROM {schema}.entries_default
    WHERE at >= {since} AND at < {until}
    RETURNING account, version, kind, at, amount, available, held, overdraft, slices, subject,
              service, actor, description, metadata, key, terms, detail
)
INSERT INTO {schema}.{table} (
    account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
    actor, description, metadata, key, terms, detail
)
SELECT account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
       actor, description, metadata, key, terms, detail
FROM moved

-- Closing the books of accounts.

-- name: accounts_to_close
SELECT a.account
FROM {schema}.accounts AS a
LEFT JOIN {schema}.openings AS o ON o.account = a.account
WHERE a.account > $1 AND (o.account IS NULL OR o.closed_until < $2)
ORDER BY a.account
LIMIT $3

-- The charges of an account that more than one entry is about.
-- name: charge_numbers
SELECT number FROM {schema}.charges WHERE account = $1

-- Holds the account until the end of the transaction; and whoever has read it before and writes it
-- after, from one snapshot, has to begin again.
-- name: touch_account
UPDATE {schema}.accounts SET version = version WHERE account = $1

-- Whether an entry that came after $2 refunds a charge of entry $3 or before.
-- name: refunds_across
SELECT EXISTS (
    SELECT FROM {schema}.entries
    WHERE account = $1 AND version > $2 AND kind = 'refund' AND subject <= $3
)

-- name: put_opening
INSERT INTO {schema}.openings AS o (account, version, closed_until, state)
VALUES ($1, $2, $3, $4)
ON CONFLICT (account) DO UPDATE
SET version = excluded.version,
    closed_until = excluded.closed_until,
    state = excluded.state
WHERE o.version <= excluded.version

-- name: keep_opening
UPDATE {schema}.openings SET closed_until = $2 WHERE account = $1 AND closed_until < $2

-- Detaching.

-- name: lock_partition
LOCK TABLE {schema}.{table} IN SHARE MODE

-- Accounts with entries in a partition that their openings do not stand for.
-- name: not_closed
SELECT p.account
FROM {schema}.{table} AS p
LEFT JOIN {schema}.openings AS o ON o.account = p.account
WHERE o.account IS NULL OR p.version > o.version
LIMIT 1000

-- name: detach
ALTER TABLE {schema}.entries DETACH PARTITION {schema}.{table}

-- What was dated in a month whose partition was gone by then, goes where the month went.
-- name: move_closed
WITH moved AS (
    DELETE FROM {schema}.entries_default AS d
    USING {schema}.openings AS o
    WHERE d.at < {until} AND o.account = d.account AND d.version <= o.version
    RETURNING d.account, d.version, d.kind, d.at, d.amount, d.available, d.held, d.overdraft,
              d.slices, d.subject, d.service, d.actor, d.description, d.metadata, d.key, d.terms,
              d.detail
)
INSERT INTO {schema}.{table} (
    account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
    actor, description, metadata, key, terms, detail
)
SELECT account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
       actor, description, metadata, key, terms, detail
FROM moved
