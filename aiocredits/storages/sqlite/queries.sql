-- Every statement of the SQLite storage, by name. Lists of accounts, keys and numbers come as one
-- JSON array, so that each statement is prepared once, whatever the size of a batch.
--
-- INDEXED BY, because without statistics SQLite prefers a primary key to a partial index, and then
-- what has ended would be read with what is open: a charge would slow down with history.

-- Accounts of a batch.
-- name: accounts
SELECT account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at
FROM credit_accounts
WHERE account IN (SELECT value FROM json_each(?1))

-- What their charges may take from; through credit_grants_open.
-- name: open_grants
SELECT account, number, state, amount, remaining, held, lapsed, priority, category, unit_cost,
       scope, effective_at, expires_at, rolled_over, description, metadata
FROM credit_grants INDEXED BY credit_grants_open
WHERE account IN (SELECT value FROM json_each(?1))
  AND state IN ('pending', 'scheduled', 'live', 'expiring', 'revoking')

-- Grants that a command, a hold or a charge names.
-- name: named_grants
SELECT g.account, g.number, g.state, g.amount, g.remaining, g.held, g.lapsed, g.priority,
       g.category, g.unit_cost, g.scope, g.effective_at, g.expires_at, g.rolled_over,
       g.description, g.metadata
FROM json_each(?1) AS named
CROSS JOIN credit_grants AS g
    ON g.account = named.value ->> 0 AND g.number = named.value ->> 1

-- Grants that late usage may reach.
-- name: lapsed_grants
SELECT g.account, g.number, g.state, g.amount, g.remaining, g.held, g.lapsed, g.priority,
       g.category, g.unit_cost, g.scope, g.effective_at, g.expires_at, g.rolled_over,
       g.description, g.metadata
FROM json_each(?1) AS late
CROSS JOIN credit_grants AS g INDEXED BY credit_grants_lapsed
    ON g.account = late.value ->> 0 AND g.lapsed > 0 AND g.expires_at > late.value ->> 1

-- Holds that end by an instant; through credit_holds_open.
-- name: due_holds
SELECT account, number, state, amount, captured, slices, placed_at, expires_at, service, actor,
       description, metadata
FROM credit_holds INDEXED BY credit_holds_open
WHERE account IN (SELECT value FROM json_each(?1)) AND state = 'open' AND expires_at <= ?2

-- name: named_holds
SELECT h.account, h.number, h.state, h.amount, h.captured, h.slices, h.placed_at, h.expires_at,
       h.service, h.actor, h.description, h.metadata
FROM json_each(?1) AS named
CROSS JOIN credit_holds AS h
    ON h.account = named.value ->> 0 AND h.number = named.value ->> 1

-- When the first hold ends that is not due; one look into credit_holds_open.
-- name: next_timeout
SELECT min(expires_at)
FROM credit_holds INDEXED BY credit_holds_open
WHERE account = ?1 AND state = 'open' AND expires_at > ?2

-- name: owing_charges
SELECT account, number, amount, at, service, slices, owed, refunded
FROM credit_charges INDEXED BY credit_charges_owing
WHERE account IN (SELECT value FROM json_each(?1)) AND owed > 0

-- name: named_charges
SELECT c.account, c.number, c.amount, c.at, c.service, c.slices, c.owed, c.refunded
FROM json_each(?1) AS named
CROSS JOIN credit_charges AS c
    ON c.account = named.value ->> 0 AND c.number = named.value ->> 1

-- name: named_entries
SELECT e.account, e.version, e.kind, e.at, e.amount, e.available, e.held, e.overdraft, e.slices,
       e.subject, e.service, e.actor, e.description, e.metadata, e.key, e.terms, e.detail
FROM json_each(?1) AS named
CROSS JOIN credit_entries AS e
    ON e.account = named.value ->> 0 AND e.version = named.value ->> 1

-- The entries that keys have written; through credit_entries_key.
-- name: entries_by_key
SELECT e.account, e.version, e.kind, e.at, e.amount, e.available, e.held, e.overdraft, e.slices,
       e.subject, e.service, e.actor, e.description, e.metadata, e.key, e.terms, e.detail
FROM json_each(?1) AS named
CROSS JOIN credit_entries AS e
    ON e.account = named.value ->> 0 AND e.key = named.value ->> 1 AND e.key IS NOT NULL

-- name: insert_account
INSERT INTO credit_accounts (
    account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: update_account
UPDATE credit_accounts
SET version = ?2, at = ?3, available = ?4, held = ?5, overdraft = ?6, overdraft_limit = ?7,
    status = ?8, time_zone = ?9, due_at = ?10
WHERE account = ?1

-- name: insert_grant
INSERT INTO credit_grants (
    account, number, state, amount, remaining, held, lapsed, priority, category, unit_cost, scope,
    effective_at, expires_at, rolled_over, description, metadata
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- What nearly every change of a grant is; it touches no column that an index is made of.
-- name: move_grant
UPDATE credit_grants SET remaining = ?3, held = ?4 WHERE account = ?1 AND number = ?2

-- name: update_grant
UPDATE credit_grants
SET state = ?3, remaining = ?4, held = ?5, lapsed = ?6, effective_at = ?7, expires_at = ?8
WHERE account = ?1 AND number = ?2

-- name: insert_hold
INSERT INTO credit_holds (
    account, number, state, amount, captured, slices, placed_at, expires_at, service, actor,
    description, metadata
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: update_hold
UPDATE credit_holds
SET state = ?3, amount = ?4, captured = ?5, slices = ?6, expires_at = ?7
WHERE account = ?1 AND number = ?2

-- name: save_charge
INSERT INTO credit_charges (account, number, amount, at, service, slices, owed, refunded)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account, number) DO UPDATE
SET slices = excluded.slices, owed = excluded.owed, refunded = excluded.refunded

-- name: insert_entry
INSERT INTO credit_entries (
    account, version, kind, at, amount, available, held, overdraft, slices, subject, service, actor,
    description, metadata, key, terms, detail
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: add_usage
INSERT INTO credit_usage (account, day, service, unit_cost, spent) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (account, day, service, unit_cost) DO UPDATE SET spent = spent + excluded.spent

-- Pages. The limit comes first, and is one more than the page has, to know if there are more.

-- name: page_entries
SELECT account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
       actor, description, metadata, key, terms, detail
FROM credit_entries
WHERE account = ?2 AND version > ?3 AND version < ?4
ORDER BY version
LIMIT ?1

-- name: page_entries_newest_first
SELECT account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
       actor, description, metadata, key, terms, detail
FROM credit_entries
WHERE account = ?2 AND version > ?3 AND version < ?4
ORDER BY version DESC
LIMIT ?1

-- name: page_grants
SELECT account, number, state, amount, remaining, held, lapsed, priority, category, unit_cost,
       scope, effective_at, expires_at, rolled_over, description, metadata
FROM credit_grants
WHERE account = ?2 AND number > ?3
ORDER BY number
LIMIT ?1

-- name: page_open_grants
SELECT account, number, state, amount, remaining, held, lapsed, priority, category, unit_cost,
       scope, effective_at, expires_at, rolled_over, description, metadata
FROM credit_grants INDEXED BY credit_grants_open
WHERE account = ?2 AND number > ?3
  AND state IN ('pending', 'scheduled', 'live', 'expiring', 'revoking')
ORDER BY number
LIMIT ?1

-- name: page_holds
SELECT account, number, state, amount, captured, slices, placed_at, expires_at, service, actor,
       description, metadata
FROM credit_holds
WHERE account = ?2 AND number > ?3
ORDER BY number
LIMIT ?1

-- name: page_open_holds
SELECT account, number, state, amount, captured, slices, placed_at, expires_at, service, actor,
       description, metadata
FROM credit_holds INDEXED BY credit_holds_open
WHERE account = ?2 AND number > ?3 AND state = 'open'
ORDER BY number
LIMIT ?1

-- name: usage
SELECT account, ?2, service, unit_cost, sum(spent)
FROM credit_usage
WHERE account = ?1 AND day BETWEEN ?2 AND ?3
GROUP BY service, unit_cost
ORDER BY service, unit_cost

-- name: usage_by_day
SELECT account, day, service, unit_cost, spent
FROM credit_usage
WHERE account = ?1 AND day BETWEEN ?2 AND ?3
ORDER BY day, service, unit_cost

-- name: page_accounts
SELECT account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at
FROM credit_accounts
WHERE account > ?2
ORDER BY account
LIMIT ?1

-- name: page_due_accounts
SELECT account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at
FROM credit_accounts
WHERE account > ?2 AND due_at <= ?3
ORDER BY account
LIMIT ?1

-- Changes whenever another connection has committed, and only then.
-- name: data_version
PRAGMA data_version

-- The schema's own state.

-- name: has_schema
SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'credit_schema'

-- name: create_schema
CREATE TABLE credit_schema (version INTEGER PRIMARY KEY NOT NULL, name TEXT NOT NULL) STRICT

-- name: schema_version
SELECT coalesce(max(version), 0) FROM credit_schema

-- name: set_schema_version
INSERT INTO credit_schema (version, name) VALUES (?, ?)
