-- The account leads every primary key and is in every index, no key, sequence or trigger crosses
-- accounts: so the tables can be distributed by account, and no two accounts ever wait for each other.
--
-- Times are instants, amounts are micro-credits. The CHECKs are the last line of defence: the rules
-- are enforced before anything is written. One for each table, because every statement prepares each
-- of them anew. Names compare by their bytes (COLLATE "C"), as in every other storage, whatever the
-- locale of the database.
--
-- Pages are left part empty where rows change, so that an update finds room beside its row and
-- touches no index: what a charge changes is in no index and in no index's condition.

-- The pocket has what charges and holds change of grants and holds: [grant, remaining, held] and [hold,
-- amount, captured, slices, placed_at, expires_at, service, actor, description, metadata], in a list.
-- Of a grant that is in it, remaining and held are old in its row; a hold that is in it has no row.
-- No CHECK looks into it; the one on available and held of the account stands for what is in it.
CREATE TABLE {schema}.accounts (
    account         text COLLATE "C" NOT NULL,
    version         bigint NOT NULL,
    at              timestamptz NOT NULL,
    available       bigint NOT NULL,
    held            bigint NOT NULL,
    overdraft       bigint NOT NULL,
    overdraft_limit bigint NOT NULL,
    status          text NOT NULL,
    time_zone       text NOT NULL,
    due_at          timestamptz,
    pocket          text NOT NULL DEFAULT '[]',
    PRIMARY KEY (account),
    CHECK (
        version > 0 AND available >= 0 AND held >= 0 AND overdraft >= 0 AND overdraft_limit >= 0
        AND status IN ('open', 'frozen', 'closed')
    )
) WITH (fillfactor = 50);

CREATE TABLE {schema}.grants (
    account      text COLLATE "C" NOT NULL,
    number       bigint NOT NULL,
    state        text NOT NULL,
    amount       bigint NOT NULL,
    remaining    bigint NOT NULL,
    held         bigint NOT NULL,
    lapsed       bigint NOT NULL,
    priority     integer NOT NULL,
    category     text NOT NULL,
    unit_cost    text,
    scope        text,
    effective_at timestamptz NOT NULL,
    expires_at   timestamptz,
    rolled_over  boolean NOT NULL,
    description  text NOT NULL,
    metadata     text,
    PRIMARY KEY (account, number),
    CHECK (amount >= 0 AND remaining >= 0 AND held >= 0 AND lapsed >= 0)
) WITH (fillfactor = 60);

-- What a charge reads: it does not grow with the grants that have ended.
CREATE INDEX grants_open ON {schema}.grants (account)
    WHERE state IN ('pending', 'scheduled', 'live', 'expiring', 'revoking');

-- What usage that is reported late may still reach.
CREATE INDEX grants_lapsed ON {schema}.grants (account, expires_at) WHERE lapsed > 0;

CREATE TABLE {schema}.holds (
    account     text COLLATE "C" NOT NULL,
    number      bigint NOT NULL,
    state       text NOT NULL,
    amount      bigint NOT NULL,
    captured    bigint NOT NULL,
    slices      text NOT NULL,
    placed_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    service     text,
    actor       text,
    description text NOT NULL,
    metadata    text,
    PRIMARY KEY (account, number),
    CHECK (amount >= 0 AND captured >= 0)
) WITH (fillfactor = 80);

CREATE INDEX holds_open ON {schema}.holds (account, expires_at) WHERE state = 'open';

-- Only charges that went into debt or were refunded; of all others their entry tells everything.
CREATE TABLE {schema}.charges (
    account  text COLLATE "C" NOT NULL,
    number   bigint NOT NULL,
    amount   bigint NOT NULL,
    at       timestamptz NOT NULL,
    service  text,
    slices   text NOT NULL,
    owed     bigint NOT NULL CHECK (owed >= 0),
    refunded bigint NOT NULL CHECK (refunded <= amount),
    PRIMARY KEY (account, number)
);

CREATE INDEX charges_owing ON {schema}.charges (account) WHERE owed > 0;

CREATE TABLE {schema}.entries (
    account     text COLLATE "C" NOT NULL,
    version     bigint NOT NULL,
    kind        text NOT NULL,
    at          timestamptz NOT NULL,
    amount      bigint NOT NULL,
    available   bigint NOT NULL,
    held        bigint NOT NULL,
    overdraft   bigint NOT NULL,
    slices      text NOT NULL,
    subject     bigint,
    service     text,
    actor       text,
    description text NOT NULL,
    metadata    text,
    key         text COLLATE "C",
    terms       text,
    detail      text,
    PRIMARY KEY (account, version)
);

-- Led by the key, because those that the library makes up begin with the time: they are added at the
-- end of the index, whatever the account.
CREATE UNIQUE INDEX entries_key ON {schema}.entries (key, account) WHERE key IS NOT NULL;

-- Absent services and unit costs are empty texts here: NULLs would not be equal to each other.
CREATE TABLE {schema}.usage (
    account   text COLLATE "C" NOT NULL,
    day       date NOT NULL,
    service   text COLLATE "C" NOT NULL,
    unit_cost text COLLATE "C" NOT NULL,
    spent     bigint NOT NULL,
    PRIMARY KEY (account, day, service, unit_cost)
) WITH (fillfactor = 60);
