-- Statements that each name one account, as account = $1, so that an engine which keeps accounts on
-- many nodes can send each to the node of its account. They touch one table each, for that is what
-- every such engine can route; those that write one row are executed once for each row.

-- What queries.sql asks of many accounts, asked of one. Keys come as an array, and numbers as
-- the text of an array.

-- name: lock_accounts
SELECT account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at,
       pocket
FROM {schema}.accounts
WHERE account = $1
FOR UPDATE

-- name: accounts
SELECT account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at,
       pocket
FROM {schema}.accounts
WHERE account = $1

-- The one join: both tables are cut the same way, so it stays on one node.
-- name: books
SELECT a.account, a.version, a.at, a.available, a.held, a.overdraft, a.overdraft_limit, a.status,
       a.time_zone, a.due_at, a.pocket, g.account, g.number, g.state, g.amount, g.remaining,
       g.held, g.lapsed, g.priority, g.category, g.unit_cost, g.scope, g.effective_at, g.expires_at,
       g.rolled_over, g.description, g.metadata
FROM {schema}.accounts AS a
LEFT JOIN {schema}.grants AS g
    ON g.account = a.account
    AND g.state IN ('pending', 'scheduled', 'live', 'expiring', 'revoking')
WHERE a.account = $1

-- name: open_grants
SELECT account, number, state, amount, remaining, held, lapsed, priority,
       category, unit_cost, scope, effective_at, expires_at, rolled_over,
       description, metadata
FROM {schema}.grants
WHERE account = $1 AND state IN ('pending', 'scheduled', 'live', 'expiring', 'revoking')

-- name: named_grants
SELECT account, number, state, amount, remaining, held, lapsed, priority,
       category, unit_cost, scope, effective_at, expires_at, rolled_over,
       description, metadata
FROM {schema}.grants
WHERE account = $1 AND number = ANY($2::text::bigint[])

-- name: lapsed_grants
SELECT account, number, state, amount, remaining, held, lapsed, priority,
       category, unit_cost, scope, effective_at, expires_at, rolled_over,
       description, metadata
FROM {schema}.grants
WHERE account = $1 AND lapsed > 0 AND expires_at > $2::timestamptz

-- name: due_holds
SELECT account, number, state, amount, captured, slices, placed_at, expires_at,
       service, actor, description, metadata
FROM {schema}.holds
WHERE account = $1 AND state = 'open' AND expires_at <= $2::timestamptz

-- name: named_holds
SELECT account, number, state, amount, captured, slices, placed_at, expires_at,
       service, actor, description, metadata
FROM {schema}.holds
WHERE account = $1 AND number = ANY($2::text::bigint[])

-- name: next_timeouts
SELECT account, min(expires_at)
FROM {schema}.holds
WHERE account = $1 AND state = 'open' AND expires_at > $2::timestamptz
GROUP BY account

-- name: owing_charges
SELECT account, number, amount, at, service, slices, owed, refunded
FROM {schema}.charges
WHERE account = $1 AND owed > 0

-- name: opening_versions
SELECT account, version FROM {schema}.openings WHERE account = $1

-- name: named_charges
SELECT account, number, amount, at, service, slices, owed, refunded
FROM {schema}.charges
WHERE account = $1 AND number = ANY($2::text::bigint[])

-- name: named_entries
SELECT account, version, kind, at, amount, available, held, overdraft, slices,
       subject, service, actor, description, metadata, key, terms, detail
FROM {schema}.entries
WHERE account = $1 AND version = ANY($2::text::bigint[])

-- name: entries_by_key
SELECT account, version, kind, at, amount, available, held, overdraft, slices,
       subject, service, actor, description, metadata, key, terms, detail
FROM {schema}.entries
WHERE account = $1 AND key = ANY($2::text[])

-- What is written of one account, in one transaction. The first of these is the proof: it finds no
-- row if somebody else has changed the account since it was read.

-- name: swap_account
UPDATE {schema}.accounts
SET version = $3, at = $4::text::timestamptz, available = $5, held = $6, overdraft = $7,
    overdraft_limit = $8, status = $9, time_zone = $10, due_at = $11::text::timestamptz,
    pocket = $12
WHERE account = $1 AND version = $2
RETURNING account

-- Or this one: it adds nothing if the account is there already.
-- name: add_account
INSERT INTO {schema}.accounts (
    account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at,
    pocket
)
VALUES ($1, $2, $3::text::timestamptz, $4, $5, $6, $7, $8, $9, $10::text::timestamptz, $11)
ON CONFLICT (account) DO NOTHING
RETURNING account

-- name: add_grant
INSERT INTO {schema}.grants (
    account, number, state, amount, remaining, held, lapsed, priority, category, unit_cost, scope,
    effective_at, expires_at, rolled_over, description, metadata
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::text::timestamptz, $13::text::timestamptz,
    $14, $15, $16
)

-- name: change_grant
UPDATE {schema}.grants
SET state = $3, remaining = $4, held = $5, lapsed = $6,
    effective_at = $7::text::timestamptz, expires_at = $8::text::timestamptz
WHERE account = $1 AND number = $2

-- name: add_hold
INSERT INTO {schema}.holds (
    account, number, state, amount, captured, slices, placed_at, expires_at, service, actor,
    description, metadata
)
VALUES (
    $1, $2, $3, $4, $5, $6, $7::text::timestamptz, $8::text::timestamptz, $9, $10, $11, $12
)

-- name: change_hold
UPDATE {schema}.holds
SET state = $3, amount = $4, captured = $5, slices = $6, expires_at = $7::text::timestamptz
WHERE account = $1 AND number = $2

-- name: put_charge
INSERT INTO {schema}.charges (account, number, amount, at, service, slices, owed, refunded)
VALUES ($1, $2, $3, $4::text::timestamptz, $5, $6, $7, $8)
ON CONFLICT (account, number) DO UPDATE
SET slices = excluded.slices, owed = excluded.owed, refunded = excluded.refunded

-- name: add_entry
INSERT INTO {schema}.entries (
    account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
    actor, description, metadata, key, terms, detail
)
VALUES (
    $1, $2, $3, $4::text::timestamptz, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
)

-- name: add_usage
INSERT INTO {schema}.usage AS u (account, day, service, unit_cost, spent)
VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (account, day, service, unit_cost) DO UPDATE SET spent = u.spent + excluded.spent
