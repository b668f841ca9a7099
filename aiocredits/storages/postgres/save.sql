-- The statement that writes any batch; charge.sql has leaner ones for most of them. Rows come as one
-- array for each column, so that each statement is prepared once, whatever the size of a batch.
-- Instants are microseconds since 1970, converted exactly here; arrays come as their text, which
-- costs the driver a tenth of what the same array does element by element; and a column of NULLs
-- alone comes as one NULL.
--
-- IN … IS TRUE is looked up in a hash table. A join would be planned for the two or three accounts
-- that the planner expects, and compare every row with every account.

-- One statement writes a batch. An account whose version is not the expected one is left out, and
-- with it all that belongs to it; so are accounts that somebody has locked, who is about to change
-- them, and those one of whose keys is taken. The rows are locked in the order of their names before
-- the first is changed; so, and because it waits for none, no two batches wait for each other in a
-- circle. It returns the accounts that it wrote, as one array.
-- name: save
WITH taken AS MATERIALIZED (
    SELECT k.account
    FROM unnest($1::text::text[], $2::text::text[]) AS k (account, key)
    WHERE (SELECT true FROM {schema}.entries AS e WHERE e.account = k.account AND e.key = k.key)
),
locked AS MATERIALIZED (
    SELECT w.account, w.version, w.at, w.available, w.held, w.overdraft, w.overdraft_limit,
           w.status, w.time_zone, w.due_at, w.pocket
    FROM unnest(
        $3::text::text[], $4::text::bigint[], $5::text::bigint[], $6::text::bigint[],
        $7::text::bigint[], $8::text::bigint[], $9::text::bigint[], $10::text::bigint[],
        $11::text::text[], $12::text::text[], $13::text::bigint[],
        $14::text::text[]
    ) AS w (
        account, expected, version, at, available, held, overdraft, overdraft_limit, status,
        time_zone, due_at, pocket
    )
    JOIN {schema}.accounts AS a ON a.account = w.account
    WHERE a.version = w.expected AND a.account NOT IN (SELECT t.account FROM taken AS t)
    ORDER BY a.account
    FOR UPDATE OF a SKIP LOCKED
),
changed AS (
    UPDATE {schema}.accounts AS a
    SET version = w.version,
        at = timestamptz 'epoch' + w.at / 1000000 * interval '1 s' + w.at % 1000000 * interval '1 us',
        available = w.available,
        held = w.held,
        overdraft = w.overdraft,
        overdraft_limit = w.overdraft_limit,
        status = w.status,
        time_zone = w.time_zone,
        due_at = timestamptz 'epoch' + w.due_at / 1000000 * interval '1 s'
            + w.due_at % 1000000 * interval '1 us',
        pocket = w.pocket
    FROM locked AS w
    WHERE a.account = w.account
    RETURNING a.account
),
added AS (
    INSERT INTO {schema}.accounts (
        account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at,
        pocket
    )
    SELECT n.account, n.version,
           timestamptz 'epoch' + n.at / 1000000 * interval '1 s' + n.at % 1000000 * interval '1 us',
           n.available, n.held, n.overdraft, n.overdraft_limit, n.status, n.time_zone,
           timestamptz 'epoch' + n.due_at / 1000000 * interval '1 s'
               + n.due_at % 1000000 * interval '1 us',
           n.pocket
    FROM unnest(
        $15::text::text[], $16::text::bigint[], $17::text::bigint[], $18::text::bigint[],
        $19::text::bigint[], $20::text::bigint[], $21::text::bigint[], $22::text::text[],
        $23::text::text[], $24::text::bigint[], $25::text::text[]
    ) AS n (
        account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at,
        pocket
    )
    ON CONFLICT (account) DO NOTHING
    RETURNING account
),
saved AS MATERIALIZED (
    SELECT c.account FROM changed AS c
    UNION ALL
    SELECT n.account FROM added AS n
),
new_grants AS (
    INSERT INTO {schema}.grants (
        account, number, state, amount, remaining, held, lapsed, priority, category, unit_cost,
        scope, effective_at, expires_at, rolled_over, description, metadata
    )
    SELECT g.account, g.number, g.state, g.amount, g.remaining, g.held, g.lapsed, g.priority,
           g.category, g.unit_cost, g.scope,
           timestamptz 'epoch' + g.effective_at / 1000000 * interval '1 s'
               + g.effective_at % 1000000 * interval '1 us',
           timestamptz 'epoch' + g.expires_at / 1000000 * interval '1 s'
               + g.expires_at % 1000000 * interval '1 us',
           g.rolled_over, g.description, g.metadata
    FROM unnest(
        $26::text::text[], $27::text::bigint[], $28::text::text[], $29::text::bigint[],
        $30::text::bigint[], $31::text::bigint[], $32::text::bigint[], $33::text::integer[],
        $34::text::text[], $35::text::text[], $36::text::text[], $37::text::bigint[],
        $38::text::bigint[], $39::text::boolean[], $40::text::text[], $41::text::text[]
    ) AS g (
        account, number, state, amount, remaining, held, lapsed, priority, category, unit_cost,
        scope, effective_at, expires_at, rolled_over, description, metadata
    )
    WHERE (g.account IN (SELECT s.account FROM saved AS s)) IS TRUE
),
grants AS (
    UPDATE {schema}.grants AS g
    SET state = c.state,
        remaining = c.remaining,
        held = c.held,
        lapsed = c.lapsed,
        effective_at = timestamptz 'epoch' + c.effective_at / 1000000 * interval '1 s'
            + c.effective_at % 1000000 * interval '1 us',
        expires_at = timestamptz 'epoch' + c.expires_at / 1000000 * interval '1 s'
            + c.expires_at % 1000000 * interval '1 us'
    FROM unnest(
        $42::text::text[], $43::text::bigint[], $44::text::text[], $45::text::bigint[],
        $46::text::bigint[], $47::text::bigint[], $48::text::bigint[], $49::text::bigint[]
    ) AS c (account, number, state, remaining, held, lapsed, effective_at, expires_at)
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
    FROM unnest(
        $50::text::text[], $51::text::bigint[], $52::text::text[], $53::text::bigint[],
        $54::text::bigint[], $55::text::text[], $56::text::bigint[], $57::text::bigint[],
        $58::text::text[], $59::text::text[], $60::text::text[], $61::text::text[]
    ) AS h (
        account, number, state, amount, captured, slices, placed_at, expires_at, service, actor,
        description, metadata
    )
    WHERE (h.account IN (SELECT s.account FROM saved AS s)) IS TRUE
),
holds AS (
    UPDATE {schema}.holds AS h
    SET state = c.state,
        amount = c.amount,
        captured = c.captured,
        slices = c.slices,
        expires_at = timestamptz 'epoch' + c.expires_at / 1000000 * interval '1 s'
            + c.expires_at % 1000000 * interval '1 us'
    FROM unnest(
        $62::text::text[], $63::text::bigint[], $64::text::text[], $65::text::bigint[],
        $66::text::bigint[], $67::text::text[], $68::text::bigint[]
    ) AS c (account, number, state, amount, captured, slices, expires_at)
    WHERE (c.account IN (SELECT s.account FROM saved AS s)) IS TRUE
      AND h.account = c.account AND h.number = c.number
),
charges AS (
    INSERT INTO {schema}.charges (account, number, amount, at, service, slices, owed, refunded)
    SELECT c.account, c.number, c.amount,
           timestamptz 'epoch' + c.at / 1000000 * interval '1 s' + c.at % 1000000 * interval '1 us',
           c.service, c.slices, c.owed, c.refunded
    FROM unnest(
        $69::text::text[], $70::text::bigint[], $71::text::bigint[], $72::text::bigint[],
        $73::text::text[], $74::text::text[], $75::text::bigint[], $76::text::bigint[]
    ) AS c (account, number, amount, at, service, slices, owed, refunded)
    WHERE (c.account IN (SELECT s.account FROM saved AS s)) IS TRUE
    ON CONFLICT (account, number) DO UPDATE
    SET slices = excluded.slices, owed = excluded.owed, refunded = excluded.refunded
),
entries AS (
    INSERT INTO {schema}.entries (
        account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
        actor, description, metadata, key, terms, detail
    )
    SELECT e.account, e.version, e.kind,
           timestamptz 'epoch' + e.at / 1000000 * interval '1 s' + e.at % 1000000 * interval '1 us',
           e.amount, e.available, e.held, e.overdraft, e.slices, e.subject, e.service, e.actor,
           e.description, e.metadata, e.key, e.terms, e.detail
    FROM unnest(
        $77::text::text[], $78::text::bigint[], $79::text::text[], $80::text::bigint[],
        $81::text::bigint[], $82::text::bigint[], $83::text::bigint[], $84::text::bigint[],
        $85::text::text[], $86::text::bigint[], $87::text::text[], $88::text::text[],
        $89::text::text[], $90::text::text[], $91::text::text[], $92::text::text[],
        $93::text::text[]
    ) AS e (
        account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
        actor, description, metadata, key, terms, detail
    )
    WHERE (e.account IN (SELECT s.account FROM saved AS s)) IS TRUE
),
usage AS (
    INSERT INTO {schema}.usage AS u (account, day, service, unit_cost, spent)
    SELECT d.account, d.day, d.service, d.unit_cost, d.spent
    FROM unnest(
        $94::text::text[], $95::text::date[], $96::text::text[],
        $97::text::text[], $98::text::bigint[]
    ) AS d (account, day, service, unit_cost, spent)
    WHERE (d.account IN (SELECT s.account FROM saved AS s)) IS TRUE
    ON CONFLICT (account, day, service, unit_cost) DO UPDATE SET spent = u.spent + excluded.spent
)
SELECT array_agg(s.account) FROM saved AS s
