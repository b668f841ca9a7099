-- The account leads every primary key and every index, no key, sequence or trigger crosses accounts:
-- so the tables can be distributed by account, and no two accounts ever wait for each other.
--
-- Times are instants, amounts are micro-credits. The CHECKs are the last line of defence: the rules
-- are enforced before anything is written. Names compare by their bytes (COLLATE "C"), as in every
-- other storage, whatever the locale of the database.
--
-- Pages are left part empty where rows change, so that an update finds room beside its row and
-- touches no index: what a charge changes is in no index and in no index's condition.

CREATE TABLE {schema}.accounts (
    account         text COLLATE "C" NOT NULL,
    version         bigint NOT NULL CHECK (version > 0),
    at              timestamptz NOT NULL,
    available       bigint NOT NULL CHECK (available >= 0),
    held            bigint NOT NULL CHECK (held >= 0),
    overdraft       bigint NOT NULL CHECK (overdraft >= 0),
    overdraft_limit bigint NOT NULL CHECK (overdraft_limit >= 0),
    status          text NOT NULL CHECK (status IN ('open', 'frozen', 'closed')),
    time_zone       text NOT NULL,
    due_at          timestamptz,
    PRIMARY KEY (account)
) WITH (fillfactor = 50);

CREATE TABLE {schema}.grants (
    account      text COLLATE "C" NOT NULL,
    number       bigint NOT NULL,
    state        text NOT NULL,
    amount       bigint NOT NULL CHECK (amount >= 0),
    remaining    bigint NOT NULL CHECK (remaining >= 0),
    held         bigint NOT NULL CHECK (held >= 0),
    lapsed       bigint NOT NULL CHECK (lapsed >= 0),
    priority     integer NOT NULL,
    category     text NOT NULL,
    unit_cost    text,
    scope        text,
    effective_at timestamptz NOT NULL,
    expires_at   timestamptz,
    rolled_over  boolean NOT NULL,
    description  text NOT NULL,
    metadata     text,
    PRIMARY KEY (account, number)
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
    amount      bigint NOT NULL CHECK (amount >= 0),
    captured    bigint NOT NULL CHECK (captured >= 0),
    slices      text NOT NULL,
    placed_at   timestamptz NOT NULL,
    expires_at  timestamptz NOT NULL,
    service     text,
    actor       text,
    description text NOT NULL,
    metadata    text,
    PRIMARY KEY (account, number)
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

CREATE UNIQUE INDEX entries_key ON {schema}.entries (account, key) WHERE key IS NOT NULL;

-- Absent services and unit costs are empty texts here: NULLs would not be equal to each other.
CREATE TABLE {schema}.usage (
    account   text COLLATE "C" NOT NULL,
    day       date NOT NULL,
    service   text COLLATE "C" NOT NULL,
    unit_cost text COLLATE "C" NOT NULL,
    spent     bigint NOT NULL,
    PRIMARY KEY (account, day, service, unit_cost)
) WITH (fillfactor = 60);

-- Where the entries of an account may be read from, once older ones have been put away.
CREATE TABLE {schema}.openings (
    account      text COLLATE "C" NOT NULL,
    version      bigint NOT NULL,
    closed_until timestamptz NOT NULL,
    state        text NOT NULL,
    PRIMARY KEY (account)
);
