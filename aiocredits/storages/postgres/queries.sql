-- Every statement that reads, by name. Lists of accounts, keys and numbers come as arrays, so that
-- each statement is prepared once, whatever the size of a batch.

-- Accounts of a batch, locked in the order of their names until the transaction ends.
-- name: lock_accounts
SELECT account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at,
       pocket
FROM {schema}.accounts
WHERE account = ANY($1::text[])
ORDER BY account
FOR UPDATE

-- name: accounts
SELECT account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at,
       pocket
FROM {schema}.accounts
WHERE account = ANY($1::text[])

-- Accounts as charges need them, from one snapshot: each with every open grant that it has.
-- name: books
SELECT a.account, a.version, a.at, a.available, a.held, a.overdraft, a.overdraft_limit, a.status,
       a.time_zone, a.due_at, a.pocket, g.account, g.number, g.state, g.amount, g.remaining,
       g.held, g.lapsed, g.priority, g.category, g.unit_cost, g.scope, g.effective_at, g.expires_at,
       g.rolled_over, g.description, g.metadata
FROM {schema}.accounts AS a
LEFT JOIN {schema}.grants AS g
    ON g.account = a.account
    AND g.state IN ('pending', 'scheduled', 'live', 'expiring', 'revoking')
WHERE a.account = ANY($1::text[])

-- What charges may take from; through grants_open.
-- name: open_grants
SELECT account, number, state, amount, remaining, held, lapsed, priority,
       category, unit_cost, scope, effective_at, expires_at, rolled_over,
       description, metadata
FROM {schema}.grants
WHERE account = ANY($1::text[])
  AND state IN ('pending', 'scheduled', 'live', 'expiring', 'revoking')

-- Grants that a command, a hold or a charge names.
-- name: named_grants
SELECT g.account, g.number, g.state, g.amount, g.remaining, g.held, g.lapsed, g.priority,
       g.category, g.unit_cost, g.scope, g.effective_at, g.expires_at, g.rolled_over,
       g.description, g.metadata
FROM unnest($1::text[], $2::bigint[]) AS named (account, number)
JOIN {schema}.grants AS g ON g.account = named.account AND g.number = named.number

-- Grants that late usage may reach; through grants_lapsed.
-- name: lapsed_grants
SELECT g.account, g.number, g.state, g.amount, g.remaining, g.held, g.lapsed, g.priority,
       g.category, g.unit_cost, g.scope, g.effective_at, g.expires_at, g.rolled_over,
       g.description, g.metadata
FROM unnest($1::text[], $2::timestamptz[]) AS late (account, instant)
JOIN {schema}.grants AS g
    ON g.account = late.account AND g.lapsed > 0 AND g.expires_at > late.instant

-- Holds that end by an instant; through holds_open.
-- name: due_holds
SELECT account, number, state, amount, captured, slices, placed_at, expires_at,
       service, actor, description, metadata
FROM {schema}.holds
WHERE account = ANY($1::text[]) AND state = 'open' AND expires_at <= $2::timestamptz

-- name: named_holds
SELECT h.account, h.number, h.state, h.amount, h.captured, h.slices, h.placed_at, h.expires_at,
       h.service, h.actor, h.description, h.metadata
FROM unnest($1::text[], $2::bigint[]) AS named (account, number)
JOIN {schema}.holds AS h ON h.account = named.account AND h.number = named.number

-- When the first hold ends that is not due; one look into holds_open for each account.
-- name: next_timeouts
SELECT account, min(expires_at)
FROM {schema}.holds
WHERE account = ANY($1::text[]) AND state = 'open' AND expires_at > $2::timestamptz
GROUP BY account

-- Through charges_owing.
-- name: owing_charges
SELECT account, number, amount, at, service, slices, owed, refunded
FROM {schema}.charges
WHERE account = ANY($1::text[]) AND owed > 0

-- name: named_charges
SELECT c.account, c.number, c.amount, c.at, c.service, c.slices, c.owed, c.refunded
FROM unnest($1::text[], $2::bigint[]) AS named (account, number)
JOIN {schema}.charges AS c ON c.account = named.account AND c.number = named.number

-- Charges of entries that an opening stands for: of them only those in debt are still in the books.
-- name: opening_versions
SELECT account, version FROM {schema}.openings WHERE account = ANY($1::text[])

-- name: named_entries
SELECT e.account, e.version, e.kind, e.at, e.amount, e.available, e.held, e.overdraft, e.slices,
       e.subject, e.service, e.actor, e.description, e.metadata, e.key, e.terms, e.detail
FROM unnest($1::text[], $2::bigint[]) AS named (account, version)
JOIN {schema}.entries AS e ON e.account = named.account AND e.version = named.version

-- The entries that keys have written; through entries_key.
-- name: entries_by_key
SELECT e.account, e.version, e.kind, e.at, e.amount, e.available, e.held, e.overdraft, e.slices,
       e.subject, e.service, e.actor, e.description, e.metadata, e.key, e.terms, e.detail
FROM unnest($1::text[], $2::text[]) AS named (account, key)
JOIN {schema}.entries AS e ON e.account = named.account AND e.key = named.key

-- Pages. The limit comes first, and is one more than the page has, to know if there are more.

-- name: page_entries
SELECT account, version, kind, at, amount, available, held, overdraft, slices,
       subject, service, actor, description, metadata, key, terms, detail
FROM {schema}.entries
WHERE account = $2 AND version > $3 AND version < $4
ORDER BY version
LIMIT $1

-- name: page_entries_newest_first
SELECT account, version, kind, at, amount, available, held, overdraft, slices,
       subject, service, actor, description, metadata, key, terms, detail
FROM {schema}.entries
WHERE account = $2 AND version > $3 AND version < $4
ORDER BY version DESC
LIMIT $1

-- name: page_grants
SELECT g.account, g.number, g.state, g.amount, g.remaining, g.held, g.lapsed, g.priority,
       g.category, g.unit_cost, g.scope, g.effective_at, g.expires_at, g.rolled_over,
       g.description, g.metadata, a.pocket
FROM {schema}.grants AS g
JOIN {schema}.accounts AS a ON a.account = g.account
WHERE g.account = $2 AND g.number > $3
ORDER BY g.number
LIMIT $1

-- name: page_open_grants
SELECT g.account, g.number, g.state, g.amount, g.remaining, g.held, g.lapsed, g.priority,
       g.category, g.unit_cost, g.scope, g.effective_at, g.expires_at, g.rolled_over,
       g.description, g.metadata, a.pocket
FROM {schema}.grants AS g
JOIN {schema}.accounts AS a ON a.account = g.account
WHERE g.account = $2 AND g.number > $3
  AND g.state IN ('pending', 'scheduled', 'live', 'expiring', 'revoking')
ORDER BY g.number
LIMIT $1

-- The rows of a page of holds, each after the pocket; without rows, the pocket alone.
-- name: page_holds
SELECT a.pocket, h.account, h.number, h.state, h.amount, h.captured, h.slices, h.placed_at,
       h.expires_at, h.service, h.actor, h.description, h.metadata
FROM {schema}.accounts AS a
LEFT JOIN (
    SELECT account, number, state, amount, captured, slices, placed_at, expires_at,
           service, actor, description, metadata
    FROM {schema}.holds
    WHERE account = $2 AND number > $3
    ORDER BY number
    LIMIT $1
) AS h ON h.account = a.account
WHERE a.account = $2
ORDER BY h.number

-- name: page_open_holds
SELECT a.pocket, h.account, h.number, h.state, h.amount, h.captured, h.slices, h.placed_at,
       h.expires_at, h.service, h.actor, h.description, h.metadata
FROM {schema}.accounts AS a
LEFT JOIN (
    SELECT account, number, state, amount, captured, slices, placed_at, expires_at,
           service, actor, description, metadata
    FROM {schema}.holds
    WHERE account = $2 AND number > $3 AND state = 'open'
    ORDER BY number
    LIMIT $1
) AS h ON h.account = a.account
WHERE a.account = $2
ORDER BY h.number

-- name: usage
SELECT account, $2::date AS day, service, unit_cost, sum(spent)::bigint
FROM {schema}.usage
WHERE account = $1 AND day BETWEEN $2 AND $3
GROUP BY account, service, unit_cost
ORDER BY service, unit_cost

-- name: usage_by_day
SELECT account, day, service, unit_cost, spent
FROM {schema}.usage
WHERE account = $1 AND day BETWEEN $2 AND $3
ORDER BY day, service, unit_cost

-- name: page_accounts
SELECT account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at
FROM {schema}.accounts
WHERE account > $2
ORDER BY account
LIMIT $1

-- name: page_due_accounts
SELECT account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at
FROM {schema}.accounts
WHERE account > $2 AND due_at <= $3::timestamptz
ORDER BY account
LIMIT $1

-- name: opening
SELECT version, state FROM {schema}.openings WHERE account = $1

-- The schema's own state.

-- name: has_schema
SELECT count(*)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE n.nspname = $1 AND c.relname = 'schema_version'

-- name: create_schema
CREATE SCHEMA IF NOT EXISTS {schema}

-- name: create_schema_version
CREATE TABLE IF NOT EXISTS {schema}.schema_version (
    version    integer NOT NULL,
    name       text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('pre', 'post')),
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (version)
)

-- One migrator at a time: the others wait and find it done.
-- name: lock_schema
SELECT pg_catalog.pg_advisory_xact_lock(4711, pg_catalog.hashtext($1))

-- name: applied_migrations
SELECT version, name, kind FROM {schema}.schema_version ORDER BY version

-- name: note_migration
INSERT INTO {schema}.schema_version (version, name, kind) VALUES ($1, $2, $3)
