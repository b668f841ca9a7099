-- What `save` in save.sql does, for batches that change less: with fewer columns and fewer parts. Of
-- several arrays in one FROM unnest() each is copied to a store of its own first; in a SELECT they
-- are not, and these statements run often enough for that to be noticed.

-- What most charges do: known accounts with nothing held or owed, each of which pays for one service,
-- from grants in its pocket; nothing changes but version, at, available and pocket of the account.
-- Each column of an array costs time for each row, and a statement with a dozen parts takes longer to
-- set up than these few rows to write.
-- name: charge
WITH taken AS MATERIALIZED (
    SELECT k.account
    FROM (
        SELECT unnest($1::text::text[]) AS account, unnest($2::text::text[]) AS key
    ) AS k
    WHERE (SELECT true FROM {schema}.entries AS e WHERE e.account = k.account AND e.key = k.key)
),
locked AS MATERIALIZED (
    SELECT w.account, w.version, w.at, w.available, w.pocket, w.day, w.service,
           w.unit_cost, w.spent
    FROM (
        SELECT unnest($3::text::text[]) AS account, unnest($4::text::bigint[]) AS expected,
               unnest($5::text::bigint[]) AS version, unnest($6::text::bigint[]) AS at,
               unnest($7::text::bigint[]) AS available, unnest($8::text::text[]) AS pocket,
               unnest($9::text::date[]) AS day, unnest($10::text::text[]) AS service,
               unnest($11::text::text[]) AS unit_cost, unnest($12::text::bigint[]) AS spent
    ) AS w
    JOIN {schema}.accounts AS a ON a.account = w.account
    WHERE a.version = w.expected AND a.account NOT IN (SELECT t.account FROM taken AS t)
    ORDER BY a.account
    FOR UPDATE OF a SKIP LOCKED
),
saved AS (
    UPDATE {schema}.accounts AS a
    SET version = w.version,
        at = timestamptz 'epoch' + w.at / 1000000 * interval '1 s' + w.at % 1000000 * interval '1 us',
        available = w.available,
        pocket = w.pocket
    FROM locked AS w
    WHERE a.account = w.account
    RETURNING a.account, w.day, w.service, w.unit_cost, w.spent
),
entries AS (
    INSERT INTO {schema}.entries (
        account, version, kind, at, amount, available, held, overdraft, slices, service,
        description, metadata, key, terms
    )
    SELECT e.account, e.version, 'consume',
           timestamptz 'epoch' + e.at / 1000000 * interval '1 s' + e.at % 1000000 * interval '1 us',
           e.amount, e.available, 0, 0, e.slices, e.service, e.description, e.metadata, e.key,
           e.terms
    FROM (
        SELECT unnest($13::text::text[]) AS account, unnest($14::text::bigint[]) AS version,
               unnest($15::text::bigint[]) AS at, unnest($16::text::bigint[]) AS amount,
               unnest($17::text::bigint[]) AS available, unnest($18::text::text[]) AS slices,
               unnest($19::text::text[]) AS service, unnest($20::text::text[]) AS description,
               unnest($21::text::text[]) AS metadata, unnest($22::text::text[]) AS key,
               unnest($23::text::text[]) AS terms
    ) AS e
    WHERE (e.account IN (SELECT s.account FROM saved AS s)) IS TRUE
),
usage AS (
    INSERT INTO {schema}.usage AS u (account, day, service, unit_cost, spent)
    SELECT s.account, s.day, s.service, s.unit_cost, s.spent FROM saved AS s
    ON CONFLICT (account, day, service, unit_cost) DO UPDATE SET spent = u.spent + excluded.spent
)
SELECT array_agg(s.account) FROM saved AS s

-- The same for one such charge: the lone caller's.
-- name: charge_one
WITH locked AS MATERIALIZED (
    SELECT a.account
    FROM {schema}.accounts AS a
    WHERE a.account = $1 AND a.version = $2::bigint
      AND NOT EXISTS (SELECT FROM {schema}.entries AS e WHERE e.account = $1 AND e.key = $3)
    FOR UPDATE OF a SKIP LOCKED
),
saved AS (
    UPDATE {schema}.accounts AS a
    SET version = $4::bigint, at = $5::timestamptz, available = $6::bigint, pocket = $7
    FROM locked AS l
    WHERE a.account = l.account
    RETURNING a.account
),
usage AS (
    INSERT INTO {schema}.usage AS u (account, day, service, unit_cost, spent)
    SELECT s.account, $8::date, $9::text, $10::text, $11::bigint FROM saved AS s
    ON CONFLICT (account, day, service, unit_cost) DO UPDATE SET spent = u.spent + excluded.spent
)
INSERT INTO {schema}.entries (
    account, version, kind, at, amount, available, held, overdraft, slices, service, description,
    metadata, key, terms
)
SELECT s.account, $4::bigint, 'consume', $5::timestamptz, $12::bigint, $6::bigint, 0, 0, $13, $14,
       $15, $16, $17, $18
FROM saved AS s
RETURNING ARRAY[account]

-- The same for all other charges, and for holds and their ends: known accounts of which anything but
-- overdraft, overdraft_limit, status and time_zone changes; grants of which nothing changes but state,
-- remaining, held and lapsed; holds that are in the pocket, or were until now, and get a row as they
-- end; no charges in debt. What an account becomes its last entry says, and beside that are due_at
-- and the pocket.
-- name: move
WITH taken AS MATERIALIZED (
    SELECT k.account
    FROM (
        SELECT unnest($1::text::text[]) AS account, unnest($2::text::text[]) AS key
    ) AS k
    WHERE (SELECT true FROM {schema}.entries AS e WHERE e.account = k.account AND e.key = k.key)
),
given AS MATERIALIZED (
    SELECT unnest($3::text::text[]) AS account, unnest($4::text::bigint[]) AS version,
           unnest($5::text::text[]) AS kind, unnest($6::text::bigint[]) AS at,
           unnest($7::text::bigint[]) AS amount, unnest($8::text::bigint[]) AS available,
           unnest($9::text::bigint[]) AS held, unnest($10::text::bigint[]) AS overdraft,
           unnest($11::text::text[]) AS slices, unnest($12::text::bigint[]) AS subject,
           unnest($13::text::text[]) AS service, unnest($14::text::text[]) AS actor,
           unnest($15::text::text[]) AS description, unnest($16::text::text[]) AS metadata,
           unnest($17::text::text[]) AS key, unnest($18::text::text[]) AS terms,
           unnest($19::text::text[]) AS detail, unnest($20::text::bigint[]) AS expected,
           unnest($21::text::bigint[]) AS due_at, unnest($22::text::text[]) AS pocket
),
locked AS MATERIALIZED (
    SELECT g.account, g.version, g.at, g.available, g.held, g.due_at, g.pocket
    FROM given AS g
    JOIN {schema}.accounts AS a ON a.account = g.account
    WHERE g.pocket IS NOT NULL AND a.version = g.expected
      AND a.account NOT IN (SELECT t.account FROM taken AS t)
    ORDER BY a.account
    FOR UPDATE OF a SKIP LOCKED
),
saved AS (
    UPDATE {schema}.accounts AS a
    SET version = w.version,
        at = timestamptz 'epoch' + w.at / 1000000 * interval '1 s' + w.at % 1000000 * interval '1 us',
        available = w.available,
        held = w.held,
        due_at = timestamptz 'epoch' + w.due_at / 1000000 * interval '1 s'
            + w.due_at % 1000000 * interval '1 us',
        pocket = w.pocket
    FROM locked AS w
    WHERE a.account = w.account
    RETURNING a.account
),
grants AS (
    UPDATE {schema}.grants AS g
    SET state = c.state, remaining = c.remaining, held = c.held, lapsed = c.lapsed
    FROM (
        SELECT unnest($40::text::text[]) AS account, unnest($41::text::bigint[]) AS number,
               unnest($42::text::text[]) AS state, unnest($43::text::bigint[]) AS remaining,
               unnest($44::text::bigint[]) AS held, unnest($45::text::bigint[]) AS lapsed
    ) AS c
    WHERE (c.account IN (SELECT s.account FROM saved AS s)) IS TRUE
      AND g.account = c.account AND g.number = c.number
),
new_holds AS (
    INSERT INTO {schema}.holds (
        account, number, state, amount, captured, slices, placed_at, expires_at, service, actor,
        description, metadata
    )
    SELECT h.account, h.number, h.state, h.amount, h.captured, h.slices,
           timestamptz 'epoch' + h.placed_at / 1000000 * interval '1 s'
               + h.placed_at % 1000000 * interval '1 us',
           timestamptz 'epoch' + h.expires_at / 1000000 * interval '1 s'
               + h.expires_at % 1000000 * interval '1 us',
           h.service, h.actor, h.description, h.metadata
    FROM (
        SELECT unnest($23::text::text[]) AS account, unnest($24::text::bigint[]) AS number,
               unnest($25::text::text[]) AS state, unnest($26::text::bigint[]) AS amount,
               unnest($27::text::bigint[]) AS captured, unnest($28::text::text[]) AS slices,
               unnest($29::text::bigint[]) AS placed_at, unnest($30::text::bigint[]) AS expires_at,
               unnest($31::text::text[]) AS service, unnest($32::text::text[]) AS actor,
               unnest($33::text::text[]) AS description, unnest($34::text::text[]) AS metadata
    ) AS h
    WHERE (h.account IN (SELECT s.account FROM saved AS s)) IS TRUE
),
entries AS (
    INSERT INTO {schema}.entries (
        account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
        actor, description, metadata, key, terms, detail
    )
    SELECT g.account, g.version, g.kind,
           timestamptz 'epoch' + g.at / 1000000 * interval '1 s' + g.at % 1000000 * interval '1 us',
           g.amount, g.available, g.held, g.overdraft, g.slices, g.subject, g.service,
           g.actor, g.description, g.metadata, g.key, g.terms, g.detail
    FROM given AS g
    WHERE (g.account IN (SELECT s.account FROM saved AS s)) IS TRUE
),
usage AS (
    INSERT INTO {schema}.usage AS u (account, day, service, unit_cost, spent)
    SELECT d.account, d.day, d.service, d.unit_cost, d.spent
    FROM (
        SELECT unnest($35::text::text[]) AS account, unnest($36::text::date[]) AS day,
               unnest($37::text::text[]) AS service, unnest($38::text::text[]) AS unit_cost,
               unnest($39::text::bigint[]) AS spent
    ) AS d
    WHERE (d.account IN (SELECT s.account FROM saved AS s)) IS TRUE
    ON CONFLICT (account, day, service, unit_cost) DO UPDATE SET spent = u.spent + excluded.spent
)
SELECT array_agg(s.account) FROM saved AS s
