-- Every statement that writes, by name. Rows come as one array for each column, so that each
-- statement is prepared once, whatever the size of a batch; instants come as microseconds since
-- 1970, which cost the driver a third of what timestamps do, and are converted exactly here.

-- One statement writes a batch. An account whose version is not the expected one is left out, and
-- with it all that belongs to it; so are accounts one of whose keys is taken. The rows are locked in
-- the order of their names before the first is changed, so that no two batches wait for each other
-- in a circle. It returns the accounts that it wrote.
-- name: save
WITH taken AS MATERIALIZED (
    SELECT e.account
    FROM unnest($1::text[], $2::text[]) AS k (account, key)
    JOIN {schema}.entries AS e ON e.account = k.account AND e.key = k.key
),
locked AS MATERIALIZED (
    SELECT w.account, w.version, w.at, w.available, w.held, w.overdraft, w.overdraft_limit,
           w.status, w.time_zone, w.due_at
    FROM unnest(
        $3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::bigint[],
        $9::bigint[], $10::bigint[], $11::text[], $12::text[], $13::bigint[]
    ) AS w (
        account, expected, version, at, available, held, overdraft, overdraft_limit, status,
        time_zone, due_at
    )
    JOIN {schema}.accounts AS a ON a.account = w.account
    WHERE a.version = w.expected AND a.account NOT IN (SELECT t.account FROM taken AS t)
    ORDER BY a.account
    FOR UPDATE OF a
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
            + w.due_at % 1000000 * interval '1 us'
    FROM locked AS w
    WHERE a.account = w.account
    RETURNING a.account
),
added AS (
    INSERT INTO {schema}.accounts (
        account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at
    )
    SELECT n.account, n.version,
           timestamptz 'epoch' + n.at / 1000000 * interval '1 s' + n.at % 1000000 * interval '1 us',
           n.available, n.held, n.overdraft, n.overdraft_limit, n.status, n.time_zone,
           timestamptz 'epoch' + n.due_at / 1000000 * interval '1 s'
               + n.due_at % 1000000 * interval '1 us'
    FROM unnest(
        $14::text[], $15::bigint[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[],
        $20::bigint[], $21::text[], $22::text[], $23::bigint[]
    ) AS n (
        account, version, at, available, held, overdraft, overdraft_limit, status, time_zone, due_at
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
        $24::text[], $25::bigint[], $26::text[], $27::bigint[], $28::bigint[], $29::bigint[],
        $30::bigint[], $31::integer[], $32::text[], $33::text[], $34::text[], $35::bigint[],
        $36::bigint[], $37::boolean[], $38::text[], $39::text[]
    ) AS g (
        account, number, state, amount, remaining, held, lapsed, priority, category, unit_cost,
        scope, effective_at, expires_at, rolled_over, description, metadata
    )
    JOIN saved AS s ON s.account = g.account
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
        $40::text[], $41::bigint[], $42::text[], $43::bigint[], $44::bigint[], $45::bigint[],
        $46::bigint[], $47::bigint[]
    ) AS c (account, number, state, remaining, held, lapsed, effective_at, expires_at)
    JOIN saved AS s ON s.account = c.account
    WHERE g.account = c.account AND g.number = c.number
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
        $48::text[], $49::bigint[], $50::text[], $51::bigint[], $52::bigint[], $53::text[],
        $54::bigint[], $55::bigint[], $56::text[], $57::text[], $58::text[], $59::text[]
    ) AS h (
        account, number, state, amount, captured, slices, placed_at, expires_at, service, actor,
        description, metadata
    )
    JOIN saved AS s ON s.account = h.account
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
        $60::text[], $61::bigint[], $62::text[], $63::bigint[], $64::bigint[], $65::text[],
        $66::bigint[]
    ) AS c (account, number, state, amount, captured, slices, expires_at)
    JOIN saved AS s ON s.account = c.account
    WHERE h.account = c.account AND h.number = c.number
),
charges AS (
    INSERT INTO {schema}.charges (account, number, amount, at, service, slices, owed, refunded)
    SELECT c.account, c.number, c.amount,
           timestamptz 'epoch' + c.at / 1000000 * interval '1 s' + c.at % 1000000 * interval '1 us',
           c.service, c.slices, c.owed, c.refunded
    FROM unnest(
        $67::text[], $68::bigint[], $69::bigint[], $70::bigint[], $71::text[], $72::text[],
        $73::bigint[], $74::bigint[]
    ) AS c (account, number, amount, at, service, slices, owed, refunded)
    JOIN saved AS s ON s.account = c.account
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
        $75::text[], $76::bigint[], $77::text[], $78::bigint[], $79::bigint[], $80::bigint[],
        $81::bigint[], $82::bigint[], $83::text[], $84::bigint[], $85::text[], $86::text[],
        $87::text[], $88::text[], $89::text[], $90::text[], $91::text[]
    ) AS e (
        account, version, kind, at, amount, available, held, overdraft, slices, subject, service,
        actor, description, metadata, key, terms, detail
    )
    JOIN saved AS s ON s.account = e.account
),
usage AS (
    INSERT INTO {schema}.usage AS u (account, day, service, unit_cost, spent)
    SELECT d.account, d.day, d.service, d.unit_cost, d.spent
    FROM unnest($92::text[], $93::date[], $94::text[], $95::text[], $96::bigint[])
        AS d (account, day, service, unit_cost, spent)
    JOIN saved AS s ON s.account = d.account
    ON CONFLICT (account, day, service, unit_cost) DO UPDATE SET spent = u.spent + excluded.spent
)
SELECT s.account FROM saved AS s
