-- Times are microseconds since 1970 in UTC, amounts are micro-credits. STRICT and CHECK are the last
-- line of defence: the rules are enforced before anything is written.

CREATE TABLE credit_accounts (
    account         TEXT PRIMARY KEY NOT NULL,
    version         INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    available       INTEGER NOT NULL CHECK (available >= 0),
    held            INTEGER NOT NULL CHECK (held >= 0),
    overdraft       INTEGER NOT NULL CHECK (overdraft >= 0),
    overdraft_limit INTEGER NOT NULL,
    status          TEXT NOT NULL,
    time_zone       TEXT NOT NULL,
    due_at          INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE credit_grants (
    account      TEXT NOT NULL,
    number       INTEGER NOT NULL,
    state        TEXT NOT NULL,
    amount       INTEGER NOT NULL,
    remaining    INTEGER NOT NULL CHECK (remaining >= 0),
    held         INTEGER NOT NULL CHECK (held >= 0),
    lapsed       INTEGER NOT NULL CHECK (lapsed >= 0),
    priority     INTEGER NOT NULL,
    category     TEXT NOT NULL,
    unit_cost    TEXT,
    scope        TEXT,
    effective_at INTEGER NOT NULL,
    expires_at   INTEGER,
    rolled_over  INTEGER NOT NULL,
    description  TEXT NOT NULL,
    metadata     TEXT,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

-- What a charge reads: it does not grow with the grants that have ended.
CREATE INDEX credit_grants_open ON credit_grants (account, number)
    WHERE state IN ('pending', 'scheduled', 'live', 'expiring', 'revoking');

-- What usage that is reported late may still reach.
CREATE INDEX credit_grants_lapsed ON credit_grants (account, expires_at) WHERE lapsed > 0;

CREATE TABLE credit_holds (
    account     TEXT NOT NULL,
    number      INTEGER NOT NULL,
    state       TEXT NOT NULL,
    amount      INTEGER NOT NULL,
    captured    INTEGER NOT NULL,
    slices      TEXT NOT NULL,
    placed_at   INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    service     TEXT,
    actor       TEXT,
    description TEXT NOT NULL,
    metadata    TEXT,
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX credit_holds_open ON credit_holds (account, expires_at) WHERE state = 'open';

-- Only charges that went into debt or were refunded; of all others their entry tells everything.
CREATE TABLE credit_charges (
    account     TEXT NOT NULL,
    number      INTEGER NOT NULL,
    amount      INTEGER NOT NULL,
    at          INTEGER NOT NULL,
    service     TEXT,
    slices      TEXT NOT NULL,
    owed        INTEGER NOT NULL CHECK (owed >= 0),
    refunded    INTEGER NOT NULL CHECK (refunded <= amount),
    PRIMARY KEY (account, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX credit_charges_owing ON credit_charges (account, number) WHERE owed > 0;

-- A plain rowid table: entries of all accounts are appended at one end, so that a batch writes few
-- pages of it, however many accounts it touches.
CREATE TABLE credit_entries (
    account     TEXT NOT NULL,
    version     INTEGER NOT NULL,
    kind        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    amount      INTEGER NOT NULL,
    available   INTEGER NOT NULL,
    held        INTEGER NOT NULL,
    overdraft   INTEGER NOT NULL,
    slices      TEXT NOT NULL,
    subject     INTEGER,
    service     TEXT,
    actor       TEXT,
    description TEXT NOT NULL,
    metadata    TEXT,
    key         TEXT,
    terms       TEXT,
    detail      TEXT,
    PRIMARY KEY (account, version)
) STRICT;

-- The key leads, because the library's own keys begin with the time: they too are appended.
CREATE UNIQUE INDEX credit_entries_key ON credit_entries (key, account) WHERE key IS NOT NULL;

-- Absent services and unit costs are empty texts here: NULLs would not be equal to each other.
CREATE TABLE credit_usage (
    account   TEXT NOT NULL,
    day       TEXT NOT NULL,
    service   TEXT NOT NULL,
    unit_cost TEXT NOT NULL,
    spent     INTEGER NOT NULL,
    PRIMARY KEY (account, day, service, unit_cost)
) STRICT, WITHOUT ROWID;
